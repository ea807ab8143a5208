"""A forked interpreter is to a command what a real one is; and each entry point in a real one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TELLING = """
import atexit, os, sys
print(sys.argv, os.getcwd(), os.environ["WORD"], sys.stdin.read(), __name__)
print("büt", file=sys.stderr)
atexit.register(print, "at the end")
"""
ENDINGS = {
    "falls off the end": "",
    "a number": "import sys; sys.exit(3)",
    "a text": "import sys; sys.exit('why')",
    "an error": "raise ValueError('why')",
    "not to be caught": "import os; os._exit(5)",
    "a signal": "import os; os.kill(os.getpid(), 9)",
    "an interrupt": "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "threads": "import threading, time; threading.Thread(target=time.sleep, args=[0.2]).start()",
}


def ended(command: list[str], **options: object) -> tuple[int, str, list[str]]:
    """Exit code, output, and the last line of what is said of errors."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, **options
    )  # type: ignore[call-overload]
    return done.returncode, done.stdout, done.stderr.splitlines()[-1:]


def test_what_a_command_is_given(python: list[str], tmp_path: Path) -> None:
    script = tmp_path / "telling.py"
    script.write_text(TELLING)
    about = {"cwd": tmp_path, "env": os.environ | {"WORD": "wörd"}, "input": "in"}
    real, forked = (
        ended([*front, str(script), "a b", ""], **about) for front in ([sys.executable], python)
    )
    assert forked == real
    assert real[0] == 0
    assert real[1].splitlines()[1:] == ["at the end"]


@pytest.mark.parametrize("how", ENDINGS)
def test_how_a_command_ends(how: str, python: list[str], tmp_path: Path) -> None:
    script = tmp_path / "ending.py"
    script.write_text(ENDINGS[how])
    assert ended([*python, str(script)]) == ended([sys.executable, str(script)])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_a_command(number: int, python: list[str], tmp_path: Path) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "try:\n    print(flush=True); time.sleep(60)\nexcept KeyboardInterrupt:\n    sys.exit(8)"
    )
    with subprocess.Popen([*python, str(script)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(number)
        assert child.wait(30) == {signal.SIGINT: 8, signal.SIGTERM: 7}[signal.Signals(number)]


def test_a_command_whose_front_is_killed_is_killed(python: list[str], tmp_path: Path) -> None:
    script = tmp_path / "waiting.py"
    script.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
    with subprocess.Popen([*python, str(script)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()
        # The end of its output is the end of the command: nobody else holds the pipe.
        assert child.stdout.read() == b""


def test_what_is_read_when_an_interpreter_starts_needs_a_real_one(python: list[str]) -> None:
    about = os.environ | {"PYTHONHASHSEED": "77"}
    code, _, said = ended([*python, "-m", "heap", "--version"], env=about)
    assert code == 1
    assert said == ["PYTHONHASHSEED is another here: this command needs an interpreter of its own"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([sys.executable, "-m", "heap", "--version"], "0.1.0"),
        ([str(Path(sys.executable).with_name("heap")), "--version"], "0.1.0"),
        ([sys.executable, "-m", "heap.pretraining", "--help"], "usage: python -m heap.pretrain"),
        (
            [sys.executable, "-m", "benchmarks", "demo", "--help"],
            "Usage: python -m benchmarks demo",
        ),
    ],
    ids=["module", "script", "pretraining", "benchmark"],
)
def test_every_entry_point_with_a_real_interpreter(command: list[str], said: str) -> None:
    code, out, errors = ended(command)
    assert (code, errors) == (0, [])
    assert said in out

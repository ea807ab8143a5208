"""Programs that use the package from Python, as people write them."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
Program = Callable[[str], None]
Console = Callable[[str, Path], str]


@contextmanager
def console(python: list[str], *arguments: Path, threads: int = 1) -> Iterator[Console]:
    """Gives the error of a program that is run in a folder, see `console.py`."""
    command = [*python, str(Path(__file__).with_name("console.py")), *map(str, arguments)]
    with subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    ) as child:  # fmt: skip

        def ask(code: str, place: Path) -> str:
            assert child.stdin is not None
            assert child.stdout is not None
            line = json.dumps({"code": textwrap.dedent(code), "place": str(place)})
            child.stdin.write(f"{line}\n")
            child.stdin.flush()
            answer: str = json.loads(child.stdout.readline())
            return answer

        yield ask


@pytest.fixture(scope="package")
def given(model: Path, original: Path, encoder_folder: Path) -> list[Path]:
    """Arguments of the console."""
    return [model, original / "photos" / "01.png", original / "run", encoder_folder]


@pytest.fixture(scope="package")
def forked_console(python: list[str], given: list[Path]) -> Iterator[Console]:
    with console(python, *given) as ask:
        yield ask


@pytest.fixture
def program(forked_console: Console, tmp_path: Path) -> Program:
    """Runs a program in the folder of the test; an error fails the test."""

    def run(code: str) -> None:
        if error := forked_console(code, tmp_path):
            pytest.fail(error, pytrace=False)

    return run


@pytest.fixture(scope="module")
def threaded_console(given: list[Path]) -> Iterator[Console]:
    # An interpreter of its own: one that forks for commands has a single thread from the start.
    with console([sys.executable], *given, threads=2) as ask:
        yield ask

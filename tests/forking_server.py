"""An interpreter that has done the slow imports, and forks for every command.

Run as `forking_server.py SOCKET`; `forked.py` is the other end. A child has the arguments, place,
environment and streams of the command, and ends as an interpreter does. The server ends with its
standard input.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import selectors
import signal
import socket
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

THIRD_PARTY = (
    "accelerate", "cyclopts", "faster_coco_eval", "fastapi_offline", "jinja2", "lance_namespace",
    "matplotlib.figure", "pyarrow.dataset", "rich.markdown", "sklearn.cluster", "sklearn.metrics",
    "sklearn.neighbors", "supervision", "transformers.models.resnet.modeling_resnet",
    "transformers.models.vit.modeling_vit", "uvicorn",
)  # fmt: skip
"""What modules of ours import late."""
READ_AT_START = {"PYTHONHASHSEED", "PYTHONIOENCODING", "PYTHONPATH", "PYTHONWARNINGS", "LC_ALL"}
"""A command with other values of these needs an interpreter of its own."""


@dataclass
class Command:
    """A command to run: arguments as for `python`, working directory, environment, streams."""

    arguments: list[str]
    place: str
    environment: dict[str, str]
    streams: list[int]


class Unforkable:
    """Refuses to import LanceDB, which starts threads, and so whatever needs it."""

    NAME = "lancedb"

    def find_spec(self, name: str, *_: Any) -> None:
        if name == self.NAME:
            raise ImportError(name)


def prepare() -> None:
    """Import all that a command may need, but the command line: it looks at its streams at once."""
    refuses: Any = Unforkable()
    sys.meta_path.insert(0, refuses)
    import heap

    for name in THIRD_PARTY:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(heap.__path__, "heap.", onerror=lambda _: None):
        if not module.name.startswith("heap.cli") and not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ImportError as error:
                if str(error) != Unforkable.NAME:
                    raise
    sys.meta_path.remove(refuses)
    if threading.active_count() > 1:
        sys.exit(f"{threading.enumerate()} would be missing from every child")
    # What is there now is shared by all children; a collection would copy it.
    gc.collect()
    gc.freeze()


def serve(listener: socket.socket) -> Command:
    """Fork for every command that comes in; returns in its child, with what it is to do."""
    selector = selectors.DefaultSelector()
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for source in (listener, woken, sys.stdin.fileno()):
        selector.register(source, selectors.EVENT_READ)
    running: dict[int, socket.socket] = {}
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        if sys.stdin.fileno() in ready:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        if woken in ready:
            os.read(woken, 4096)
            for pid, status in _ended(list(running)):
                front = running.pop(pid)
                selector.unregister(front)
                _tell(front, status)
                front.close()
        for pid in [pid for pid, front in running.items() if front in ready]:
            # Its front was killed. The status is told to nobody, as it should be.
            os.kill(pid, signal.SIGKILL)
        if listener in ready:
            front, _ = listener.accept()
            command = _receive(front)
            if (pid := os.fork()) == 0:
                selector.close()
                signal.set_wakeup_fd(-1)
                for inherited in (listener, front, *running.values()):
                    inherited.close()
                os.close(woken)
                os.close(waker)
                return command
            for stream in command.streams:
                os.close(stream)
            running[pid] = front
            selector.register(front, selectors.EVENT_READ)
            _tell(front, pid)


def _ended(children: list[int]) -> list[tuple[int, int]]:
    done = [os.waitpid(pid, os.WNOHANG) for pid in children]
    return [(pid, os.waitstatus_to_exitcode(status)) for pid, status in done if pid]


def _tell(front: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):
        front.sendall(number.to_bytes(8, "big", signed=True))


def _receive(front: socket.socket) -> Command:
    head, streams, _, _ = socket.recv_fds(front, 8, 3)
    size, text = int.from_bytes(head, "big"), b""
    while len(text) < size:
        text += front.recv(size - len(text))
    return Command(**json.loads(text), streams=streams)


def become(command: Command) -> None:
    """Make this process what an interpreter that was started for the command would be."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(command.streams):
        os.dup2(stream, number)
        os.close(stream)
    for name in READ_AT_START:
        if command.environment.get(name) != os.environ.get(name):
            sys.exit(f"{name} is another here: this command needs an interpreter of its own")
    os.environ.clear()
    os.environ.update(command.environment)
    time.tzset()
    os.chdir(command.place)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    for number, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        binary = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
        by_line = number == 2 or os.isatty(number)
        text = io.TextIOWrapper(binary, "utf-8", errors, line_buffering=by_line)
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)


def main() -> None:
    warnings.filterwarnings("ignore", r"OpenCV .* is not installed", UserWarning)
    with socket.socket(socket.AF_UNIX) as listener:
        # Those who come before the imports are done wait.
        listener.bind(sys.argv[1])
        listener.listen(64)
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener not in ready:  # no test has needed it
            return
        prepare()
        command = serve(listener)
    become(command)
    option, *rest = command.arguments
    if option == "-m":
        sys.argv, sys.path[0] = rest, command.place
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif option == "-c":
        sys.argv, sys.path[0] = ["-c", *rest[1:]], ""
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
    else:
        sys.argv, sys.path[0] = command.arguments, str(Path(option).resolve().parent)
        runpy.run_path(option, run_name="__main__")


if __name__ == "__main__":
    main()

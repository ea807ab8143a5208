"""Starts `heap` again and again without its slow imports, so that hundreds can be killed.

Each line of standard input is a list of arguments and a file for what is said, as JSON; the command
runs in a child that is forked for it. `pid N` is printed, and `end STATUS` when it is gone.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

from heap import cli

SLOW = (
    "contourpy", "jinja2", "lance_namespace", "matplotlib.path", "pyarrow.compute",
    "sklearn.cluster", "supervision", "heap.encoder.vit", "heap.fitting.trainer", "heap.model.heap",
)  # fmt: skip
"""Imported once. They start no thread, which a child would not have; LanceDB itself would."""


def main() -> None:
    """Run one command after another."""
    for name in SLOW:
        import_module(name)
    for line in sys.stdin:
        arguments, log = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(arguments, Path(log))
        sys.stdout.write(f"pid {child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"end {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(arguments: list[str], log: Path) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = ["heap", *arguments]
    status = 1
    try:
        cli.main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()

"""`heap serve` as a process of its own."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(run: Path, *options: str, python: Sequence[str]) -> Iterator[str]:
    """Serve a run at a free port of this machine; gives the address. No request may fail.

    `python` is an interpreter, such as the fixture of this name.
    """
    command = [*python, "-m", "heap", "serve", str(run), "--port", "0", *options]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    try:
        told = child.stderr.readline()
        found = re.search(r"http://\S+?:\d+", told)
        assert found, told + child.stderr.read()
        yield found[0]
        assert child.poll() is None, "heap serve has ended"
    finally:
        child.terminate()
        _, complaints = child.communicate(timeout=120)
    assert not complaints, complaints

"""`heap serve` as a process of its own."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common import CACHES, heap_command
from heap.base.errors import InputError

_POLL = 0.02
_PATIENCE = 300
"""Seconds that a server may take to end."""


@dataclass
class Served:
    """A run that is being served."""

    address: str
    process: subprocess.Popen[bytes]
    said: list[str] = field(default_factory=list)
    """Lines that it has printed after its address; known when it has ended."""


@contextmanager
def serving(run: Path, *options: str, temporary: Path | None = None) -> Iterator[Served]:
    """Serve a run at a free port of this machine, and end it with SIGTERM.

    `temporary` is its folder of temporary files instead of the system's.

    Raises:
        InputError: if it ends at once.
    """
    command = heap_command("serve", run, "--port", "0", *options)
    own = {} if temporary is None else {"TMPDIR": str(temporary), **CACHES}
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, stderr=log, env=os.environ | own)

        def said() -> str:
            # Not `read`: the place in the file is shared with the process that writes to it.
            return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode()

        try:
            while (address := re.search(r"http://\S+?:\d+", said())) is None:
                if child.poll() is not None:
                    raise InputError(f"heap serve has ended: {said().strip()}")
                time.sleep(_POLL)
            served = Served(address[0], child)
            yield served
        finally:
            child.terminate()
            child.wait(_PATIENCE)
        served.said = said().splitlines()[1:]

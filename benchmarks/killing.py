"""Processes that are watched on their way and killed."""

import os
import re
import subprocess
import tempfile
import time
from typing import Self

from benchmarks.tasks import Task
from heap.base.errors import InputError
from heap.base.lock import LOCK_NAME

POLL = 0.005
"""Seconds between two looks at how far a command is."""
TERMINAL = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "120"}
"""Make the command show its progress although nobody sees it."""
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Watch:
    """One process of a task; it is gone at the end of the `with` block.

    `rate` is how many pieces of work are done in a second, for tasks that do not show it.
    """

    def __init__(self, task: Task, rate: float = 0.0) -> None:
        self.task = task
        self._rate = rate

    def __enter__(self) -> Self:
        self._before = self.task.stored()
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self.task.command,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=os.environ | TERMINAL,
        )
        while self._alive() and not self._working():
            time.sleep(POLL)
        self._began = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self._log.close()

    def end(self) -> float:
        """Wait for the end; returns pieces of work in a second, from the lock to the first result.

        Raises:
            InputError: if the command fails.
        """
        first = self.task.results()[0]
        while self._alive() and not first.exists():
            time.sleep(POLL)
        seconds = time.monotonic() - self._began
        if code := self._process.wait():
            raise InputError(f"exit code {code}: {self._shown()[-300:].strip()}")
        return self.task.units / seconds

    def wait_for(self, place: float) -> None:
        """Wait until so many pieces of work are done, or the process has ended."""
        while self._alive() and self.finished() < place:
            time.sleep(POLL)

    def wait_for_write(self) -> bool:
        """Wait for the next write; says whether one was seen while the process was alive."""
        mark = self.task.mark()
        while self._alive():
            if self.task.mark() != mark:
                return True
        return False

    def kill(self) -> bool:
        """Send SIGKILL; says whether the process was still alive."""
        self._process.kill()
        return self._process.wait() < 0

    def finished(self) -> int:
        """Pieces of work that are done."""
        guess = (time.monotonic() - self._began) * self._rate
        return self.task.finished(self._before, guess, self._shown())

    def _alive(self) -> bool:
        return self._process.poll() is None

    def _working(self) -> bool:
        """Whether it has taken the lock, which it does once everything is loaded."""
        try:
            holder = (self.task.out / LOCK_NAME).read_text().split()[:1]
        except OSError:
            return False
        return holder == [str(self._process.pid)]

    def _shown(self) -> str:
        # Not `read`: the place in the file is shared with the process that writes to it.
        log = self._log.fileno()
        return _COLOURS.sub("", os.pread(log, os.fstat(log).st_size, 0).decode(errors="replace"))

"""Progress of the command line: bars on a terminal, and lines now and then elsewhere."""

import time
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

EVERY_S = 30.0
"""Seconds between two lines about one stage."""


class Bars:
    """Progress on standard error for `OnProgress` calls.

    Where no terminal shows bars, as in the log of a batch system, there is a line when a stage has
    ended, and one every half a minute before.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: dict[str, _Line] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *exception: object) -> None:
        # Stopping prints an empty line, which an error that comes before any bar can do without.
        if self._tasks:
            self._progress.stop()
        for line in self._lines.values():
            line.end()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` are done; what follows a colon in `stage` may change."""
        if not self._console.is_terminal:
            self._say(stage, done, total)
            return
        self._progress.start()
        name = stage.partition(":")[0]
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, rate="")
        task = self._tasks[name]
        speed = self._progress.tasks[task].speed
        rate = speed_text(speed) if speed else ""
        self._progress.update(task, description=stage, completed=done, total=total, rate=rate)

    def _say(self, stage: str, done: int, total: int | None) -> None:
        name = stage.partition(":")[0]
        if name not in self._lines:
            # A stage that follows another means that the other has ended.
            for line in self._lines.values():
                line.end()
            self._lines[name] = _Line(self._console)
        self._lines[name].report(stage, done, total)


def speed_text(rate: float) -> str:
    """Images or steps per second; if that is less than one, the seconds that one of them takes."""
    return f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


class _Line:
    """Lines about one stage."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = self._said = time.monotonic()
        self._first: int | None = None
        self._text = ""
        """Line that is not printed yet."""

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Note what is done, and say so if nothing was said for a while."""
        now = time.monotonic()
        if self._first is None:
            self._first = done
        self._text = f"{stage} {done}/{'?' if total is None else total}"
        if done > self._first:
            rate = (done - self._first) / max(now - self._began, 1e-9)
            self._text += f", {speed_text(rate)}"
            if total is not None and done < total:
                self._text += f", {_duration((total - done) / rate)} left"
        if done == total or now - self._said >= EVERY_S:
            self.end()

    def end(self) -> None:
        """Say what was not said yet."""
        if self._text:
            self._console.print(self._text)
            self._said, self._text = time.monotonic(), ""

"""Progress bars of the command line."""

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


class Bars:
    """Progress bars on standard error for `OnProgress` calls."""

    def __init__(self, console: Console) -> None:
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

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` are done; what follows a colon in `stage` may change."""
        self._progress.start()
        name = stage.partition(":")[0]
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, rate="")
        task = self._tasks[name]
        speed = self._progress.tasks[task].speed
        rate = f"{speed:.1f}/s" if speed else ""
        self._progress.update(task, description=stage, completed=done, total=total, rate=rate)

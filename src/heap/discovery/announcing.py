"""Progress of `heap discover` for other processes, such as an application that shows the run."""

from math import inf
from time import monotonic

from heap.base.progress import OnProgress
from heap.store.store import RunStore

_PAUSE = 1.0
"""Seconds between two notes of one stage."""


class Announced:
    """Report of progress that is noted beside the run, too: stage, done, total, and rate."""

    def __init__(self, on_progress: OnProgress, store: RunStore) -> None:
        self._on_progress, self._store = on_progress, store
        self._stage, self._first, self._began, self._noted = "", 0, 0.0, -inf

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Report; a stage begins with its first report, whatever was done before."""
        self._on_progress(stage, done, total)
        now = monotonic()
        if stage != self._stage:
            self._stage, self._first, self._began, self._noted = stage, done, now, -inf
        if now - self._noted < _PAUSE and done != total:
            return
        self._noted = now
        seconds = now - self._began
        rate = (done - self._first) / seconds if done > self._first and seconds > 0 else None
        self._store.tell({"stage": stage, "done": done, "total": total, "rate": rate})

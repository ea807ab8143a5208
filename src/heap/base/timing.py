"""Processor and wall time of a run by stages, measured where each stage does its work."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

OTHER = "other"
"""Stage of all time in the process that was spent outside of the others."""


@dataclass(frozen=True)
class StageTime:
    """Time of one stage, of all threads together."""

    stage: str
    processor: float
    """Processor time in seconds, user and system."""
    wall: float
    """Seconds by the clock. Stages overlap in threads, so that they may add up to more than the
    run; that of `other` is all of the run."""
    share: float
    """Share of the processor time of the process since the timing began, in [0, 1]."""


class Timing:
    """Time of the stages of everything that this process does within `with Timing()`.

    One at a time is active. Time inside of a stage that runs within another belongs to the
    inner one alone. Stages of the main thread have the time of the threads of libraries too, such
    as torch's, on Linux; elsewhere it is in `other`. Processes that decode images are not measured.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, tuple[float, float]] = {}
        self._threads = threading.local()
        self._began = self._ended = (0.0, 0.0)

    def __enter__(self) -> "Timing":
        global _active
        self._began = (time.process_time(), time.perf_counter())
        _active = self
        return self

    def __exit__(self, *error: object) -> None:
        global _active
        _active = None
        self._ended = (time.process_time(), time.perf_counter())

    def times(self) -> list[StageTime]:
        """Stages by their processor time, largest first, and what is left of the whole at last."""
        processor, wall = (end - begin for begin, end in zip(self._began, self._ended, strict=True))
        rows = [
            StageTime(stage, *taken, taken[0] / processor) for stage, taken in self._taken.items()
        ]
        rows.sort(key=lambda row: -row.processor)
        left = max(0.0, processor - sum(row.processor for row in rows))
        return [*rows, StageTime(OTHER, left, wall, left / processor)]

    @contextmanager
    def _measure(self, stage: str) -> Iterator[None]:
        running = self._running
        self._charge(running)
        running.names.append(stage)
        try:
            yield
        finally:
            self._charge(running)
            running.names.pop()

    @property
    def _running(self) -> "_Running":
        if not hasattr(self._threads, "running"):
            self._threads.running = _Running()
        running: _Running = self._threads.running
        return running

    def _charge(self, running: "_Running") -> None:
        """Add the time since the last call in this thread to the stage that it was spent in."""
        clocks, wall = _clocks(), time.perf_counter()
        if running.names:
            # By thread: one that has ended meanwhile takes the time it had before with it.
            processor = sum(
                max(0.0, clock - running.clocks.get(thread, 0.0))
                for thread, clock in clocks.items()
            )
            with self._lock:
                before = self._taken.get(running.names[-1], (0.0, 0.0))
                self._taken[running.names[-1]] = (
                    before[0] + processor,
                    before[1] + wall - running.wall,
                )
        running.clocks, running.wall = clocks, wall


@dataclass
class _Running:
    """Stages that a thread is in, the innermost last, and the time that is charged already."""

    names: list[str] = field(default_factory=list)
    clocks: dict[int, float] = field(default_factory=dict)
    wall: float = 0.0


_active: Timing | None = None


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Block, or function as a decorator, whose time is that of a stage if a `Timing` is active."""
    timing = _active
    if timing is None:
        yield
        return
    with timing._measure(stage):
        yield


def _clocks() -> dict[int, float]:
    """Processor time of this thread; in the main thread also of each of the libraries' own."""
    clocks = {threading.get_native_id(): time.thread_time()}
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return clocks
    python = {thread.native_id for thread in threading.enumerate()}
    for entry in os.scandir("/proc/self/task"):
        if (number := int(entry.name)) not in python:
            try:
                # Clock of a thread by its number, as pthread_getcpuclockid makes it.
                clocks[number] = time.clock_gettime(~number << 3 | 6)
            except OSError:  # it has ended meanwhile
                continue
    return clocks

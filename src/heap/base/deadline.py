"""Time limit on work that cannot be stopped, such as that of a C library."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def run_within(seconds: float, work: Callable[[], T]) -> T:
    """Result of `work`, or the error that it raises, if that takes no longer than `seconds`.

    The work is done in a thread of its own. One that takes longer is left to itself: its result is
    of no use any more, and it does not keep the process from ending.

    Raises:
        TimeoutError: if it is not done by then.
    """
    outcome: Future[T] = Future()
    # Not by a pool of threads, which waits for all of its threads when the process ends.
    threading.Thread(target=_settle, args=(outcome, work), daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError:
        if outcome.done():  # the work itself has raised a TimeoutError
            raise
        raise TimeoutError(f"it takes longer than {seconds:g} seconds") from None


def _settle(outcome: Future[T], work: Callable[[], T]) -> None:
    try:
        outcome.set_result(work())
    except BaseException as error:
        outcome.set_exception(error)

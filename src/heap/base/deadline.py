"""A limit on how long a piece of work may take that nobody can stop, such as a C library's."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns, or the error that it raises, if that takes no longer than `seconds`.

    It is done in a thread of its own. One that takes longer is left to itself: its result is of no
    use any more, and it does not keep the process from ending.

    Raises:
        TimeoutError: if it is not done by then.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError:
        if outcome.done():  # one of the work's own
            raise
        raise TimeoutError(f"it takes longer than {seconds:g} seconds") from None

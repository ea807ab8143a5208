"""Turns for work that takes long: threads of its own, so that browsing never waits for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import HTTPException

_Of = ParamSpec("_Of")
_T = TypeVar("_T")

_AGAIN_SECONDS = 5


class Turns:
    """Queue of a few requests at once, in threads of their own, and some that wait for their turn.

    All methods are for the thread of the event loop.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._threads = CapacityLimiter(at_once)
        self._free = at_once + waiting

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue; status 503 where it is full."""
        if not self._free:
            raise HTTPException(
                503,
                f"too many others are asking for the same; try again in {_AGAIN_SECONDS} seconds",
                {"Retry-After": str(_AGAIN_SECONDS)},
            )
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def work(self, call: Callable[_Of, _T], *args: _Of.args, **options: _Of.kwargs) -> _T:
        """Call a function when it is its turn; the caller holds a place in the queue already."""
        return await run_sync(partial(call, *args, **options), limiter=self._threads)

    async def take(self, call: Callable[_Of, _T], *args: _Of.args, **options: _Of.kwargs) -> _T:
        """Call a function when it is its turn; status 503 where too many wait."""
        with self.place():
            return await self.work(call, *args, **options)

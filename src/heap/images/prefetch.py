"""Reading of pictures ahead of their use, so that decoding overlaps the work of the model."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from heap.images import ImageError, Limits, Picture, Source, decode
from heap.images.decode import DEFAULT_LIMITS

S = TypeVar("S")
T = TypeVar("T")


def map_ahead(
    items: Iterable[S], work: Callable[[S], T], pool: ThreadPoolExecutor, depth: int
) -> Iterator[T]:
    """Yield `work(item)` in the order of `items`, with up to `depth` of them in progress.

    `Executor.map` would take all items at once, and hold as many results.
    """
    source = iter(items)
    waiting: deque[Future[T]] = deque(pool.submit(work, item) for item in islice(source, depth))
    try:
        while waiting:
            result = waiting.popleft().result()
            # Before the result is handed on, so that threads work while it is used.
            for item in islice(source, 1):
                waiting.append(pool.submit(work, item))
            yield result
    finally:
        for future in waiting:
            future.cancel()


def read_picture(source: Source, limits: Limits = DEFAULT_LIMITS) -> Picture | ImageError:
    """Decode one image; its error is returned and not raised, because it must not stop a run."""
    try:
        return decode(source, limits)
    except ImageError as error:
        return error


def chunks(items: Iterable[S], size: int) -> Iterator[list[S]]:
    """Lists of `size` items, the last one shorter."""
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk

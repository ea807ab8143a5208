"""Samples of lists."""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

_HELD = 8
"""Times as many items as are wanted that are held at most, however many come."""


def spread_evenly(items: Iterable[T], most: int) -> list[T]:
    """Choose up to `most` of the items, spread evenly over all of them.

    Of ten million names in a bucket at most `8 * most` are in memory at a time: where more come,
    every second one goes, and of those to come as many.
    """
    kept, stride = list[T](), 1
    for number, item in enumerate(items):
        if number % stride == 0:
            kept.append(item)
            if len(kept) > _HELD * most:
                kept, stride = kept[::2], 2 * stride
    count = min(most, len(kept))
    # Not the first ones: a listing is sorted by name, and names often go by class or place.
    return [kept[index * len(kept) // count] for index in range(count)]

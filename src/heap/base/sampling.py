"""Samples of lists."""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def spread_evenly(items: Iterable[T], most: int) -> list[T]:
    """Choose up to `most` of the items, spread evenly over all of them."""
    listed = list(items)
    count = min(most, len(listed))
    # Not the first ones: a listing is sorted by name, and names often go by class or place.
    return [listed[index * len(listed) // count] for index in range(count)]

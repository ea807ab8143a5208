"""Lookup of a thing by its name, with suggestions for an unknown one, and of all by a key."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from heap.base.errors import InputError

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def find(what: str, name: str, known: Mapping[str, T], listing: str) -> T:
    """Find the thing of this name.

    Raises:
        InputError: if there is none; the message has `what` it should be, similar names, and the
            command `listing` that lists all names.
    """
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=3)
    meant = f"; did you mean {' or '.join(close)}?" if close else ";"
    raise InputError(f"there is no {what} {name!r}{meant} `{listing}` lists them")


def group_by(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Items by their keys, both in the order in which they come."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups

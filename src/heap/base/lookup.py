"""Things that have a name on the command line, and what is said about a name that nothing has."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

from heap.base.errors import InputError

T = TypeVar("T")


def find(what: str, name: str, known: Mapping[str, T], listing: str) -> T:
    """The thing of this name.

    Raises:
        InputError: if there is none: `what` it should have been, names that are like this one, and
            the command `listing` that lists them all.
    """
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=3)
    meant = f"; did you mean {' or '.join(close)}?" if close else ";"
    raise InputError(f"there is no {what} {name!r}{meant} `{listing}` lists them")

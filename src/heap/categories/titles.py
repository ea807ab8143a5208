"""Titles of categories as exports print them, which have to differ where categories do."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from heap.base.errors import InputError

OTHER = "other"
"""What exports call the objects of no category."""
_TAKEN = {OTHER: "objects of no category", "background": "what is no object"}
_JOINERS = "\u200c\u200d"
"""Not printable by Unicode's tables, but emoji and some scripts are written with them."""
_NUMBERED = re.compile(r"category-\d+")


def title_of(number: int, name: str) -> str:
    """The name of a category, or what stands for it."""
    return name or f"category-{number}"


def printed(title: str) -> str:
    """A title that fits into a line of any file, XML included."""
    text = unicodedata.normalize("NFC", title)
    shown = (each if each.isprintable() or each in _JOINERS else " " for each in text)
    return " ".join("".join(shown).split())


def printed_plainly(title: str) -> str:
    """A title in the file that takes the fewest characters.

    In the label map of VOC, : ends a name and # begins a comment.
    """
    return re.sub(r":|^#", "_", printed(title))


def check_titles(titles: Mapping[int, str], wanted: Iterable[int]) -> None:
    """See that every export can tell the `wanted` of the categories from all others.

    Raises:
        InputError: if one would have the title of another, or one that exports need themselves.
    """
    owners: dict[str, list[int]] = {}
    for number, title in titles.items():
        owners.setdefault(printed_plainly(title), []).append(number)
    for number in wanted:
        title = printed_plainly(titles[number])
        if title in _TAKEN:
            raise InputError(
                f"category {number} cannot have the name {title!r}: exports call {_TAKEN[title]} "
                "so; choose another name"
            )
        if _NUMBERED.fullmatch(title) and title != title_of(number, ""):
            raise InputError(
                f"category {number} cannot have the name {title!r}: a category without a name is "
                "called so; choose another name"
            )
        if others := [each for each in owners[title] if each != number]:
            raise InputError(
                f"categories {number} and {others[0]} would both have the name {title!r} in an "
                "export; merge them, or choose another name"
            )

"""Names of categories, and the titles that exports print, which differ where categories do."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from heap.base.errors import InputError
from heap.base.lookup import group_by

OTHER = "other"
"""Title of the objects of no category in exports."""
_TAKEN = {OTHER: "objects of no category", "background": "what is no object"}
_JOINERS = "\u200c\u200d"
"""Not printable by Unicode's tables, but emoji and some scripts are written with them."""
_MOST = 120
"""Characters of a name."""
_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Bidirectional classes of characters that turn the direction of the text after them, so that a
name could look like another one."""
_NUMBERED = re.compile(r"category-\d+")


def check_name(name: str) -> str:
    """Return a name without the blanks around it; an empty one takes a name away.

    Raises:
        InputError: if it is too long, or has a character that cannot be shown.
    """
    name = name.strip()
    if len(name) > _MOST:
        raise InputError(
            f"the name {name[:20]!r}… has {len(name)} characters; {_MOST} are the most"
        )
    # Control characters, halves of surrogate pairs, and ends of lines and paragraphs.
    for letter in name:
        hidden = unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
        if hidden or unicodedata.bidirectional(letter) in _TURNING:
            raise InputError(
                f"the name {name!r} has the character U+{ord(letter):04X}, which cannot be shown; "
                "give one without it"
            )
    return name


def title_of(number: int, name: str) -> str:
    """The name of a category, or what stands for it."""
    return name or f"category-{number}"


def printable_title(title: str) -> str:
    """Return a title that fits into a line of any file, XML included."""
    text = unicodedata.normalize("NFC", title)
    shown = (sign if sign.isprintable() or sign in _JOINERS else " " for sign in text)
    return " ".join("".join(shown).split())


def plain_title(title: str) -> str:
    """Return a title that fits into VOC's label map, where : ends a name and # is a comment."""
    return re.sub(r":|^#", "_", printable_title(title))


def check_titles(titles: Mapping[int, str], wanted: Iterable[int]) -> None:
    """See that every export can tell the `wanted` of the categories from all others.

    Raises:
        InputError: if one would have the title of another, or one that exports need themselves.
    """
    owners = group_by(titles, lambda number: plain_title(titles[number]))
    for number in wanted:
        title = plain_title(titles[number])
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
        if others := [owner for owner in owners[title] if owner != number]:
            raise InputError(
                f"categories {number} and {others[0]} would both have the name {title!r} in an "
                "export; merge them, or choose another name"
            )

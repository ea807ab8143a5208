"""Names that people give: short, and of characters that every file and page can show."""

import unicodedata

from heap.base.errors import InputError

MOST = 120
"""Characters of a name."""
_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Characters that make what is written after them read in another direction."""


def checked(name: str) -> str:
    """A name without the blanks around it; an empty one takes a name away.

    Raises:
        InputError: if it is too long, or has a character that cannot be shown.
    """
    name = name.strip()
    if len(name) > MOST:
        raise InputError(f"the name {name[:20]!r}… has {len(name)} characters; {MOST} are the most")
    # Control characters, halves of surrogate pairs, and ends of lines and paragraphs.
    for letter in name:
        hidden = unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
        if hidden or unicodedata.bidirectional(letter) in _TURNING:
            raise InputError(
                f"the name {name!r} has the character U+{ord(letter):04X}, which cannot be shown; "
                "give one without it"
            )
    return name

"""Texts as the store takes them."""


def quote(text: str) -> str:
    """Return a text as it is written in a condition."""
    return "'" + text.replace("'", "''") + "'"


def is_storable(text: str) -> bool:
    """Whether a text can be in the store, which holds only valid UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

"""Markdown of tables and codes."""

from collections.abc import Iterable

WRITTEN = "<!-- written by tools/reference -->\n\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table with an empty line behind it."""
    names = list(head)
    lines = [names, ["---"] * len(names), *([escaped(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def escaped(cell: str) -> str:
    """Return the text of a cell in one line, without an end of the cell."""
    return " ".join(cell.split()).replace("|", "\\|")


def code(text: object) -> str:
    """Return a text as code; nothing of an empty one."""
    return f"`{text}`" if str(text) else ""

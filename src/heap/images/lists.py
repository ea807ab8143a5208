"""Names in a list file, as people and programs write them.

A line is a name just as it stands if a file is called so. Otherwise blanks around it are dropped,
and quotes around the whole name; what begins with a # is a comment. Empty lines are passed over.
"""

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

from heap.base.errors import InputError

_MARKS = {
    # Those of four bytes first: one of them begins with one of two.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
"""Encodings by the mark at the beginning of a file, which Windows writes."""
_QUOTES = ('"', "'")


def names_in_list(path: Path) -> Iterator[str]:
    """Paths and URLs in a list, in the order of its lines.

    Raises:
        InputError: if it is not in the encoding that its mark says.
    """
    with path.open("rb") as file:
        beginning = file.read(4)
    encoding = next((name for mark, name in _MARKS.items() if beginning.startswith(mark)), "utf-8")
    # With surrogates, because paths may have bytes that are no UTF-8; only "\n" ends a line, for
    # names may have any other.
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="\n") as lines:
            for line in lines:
                if name := _name_in(line.rstrip("\r\n"), path.parent):
                    yield name
    except UnicodeError as error:
        raise InputError(
            f"{path} is no list of images: it begins as {encoding.upper()} does, and does not go "
            "on so; save the list as UTF-8"
        ) from error


def _name_in(line: str, folder: Path) -> str:
    """Name in a line; empty if there is none."""
    name = line.strip()
    # Most lines are plain: only for the others it has to be asked whether there is such a file.
    if name == line and not name.startswith(("#", *_QUOTES)):
        return name
    if name and "\0" not in line and os.path.lexists(folder / line):
        return line
    if name.startswith("#"):
        return ""
    quoted = len(name) > 1 and name[0] in _QUOTES and name[-1] == name[0]
    return name[1:-1] if quoted else name

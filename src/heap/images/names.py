"""Names of images: bytes on a disk, UTF-8 in a store."""

import os
import re
from pathlib import Path, PurePath
from urllib.parse import quote, unquote

from heap.images.source import key_of, local_path

_SAFE = "%/:@?&=+,;~#!$'()*[]"
"""Characters of a URL that have a meaning there, and stay as they are."""


def text_of(location: str) -> str:
    """Location as UTF-8: a path of other bytes becomes a file URL, which `Source` takes too.

    A URL of other bytes, which nobody can open, has their escapes.
    """
    if _is_text(location):
        return location
    path = Path(location)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(location), safe=_SAFE)


def is_web(url: str) -> bool:
    """Whether a URL is of the web: its names may be escaped, and a query may follow them."""
    return url.lower().startswith(("http://", "https://"))


def key_of_url(url: str) -> str:
    """Key from the last name in a URL, without its query, which may hold a signature."""
    # What follows `::` is the archive or cache that the file is reached through.
    names = _parts_of_url(url.partition("::")[0])
    name = names[-1] if names else ""
    return key_of(name) if name.strip(".") else "image"


def parts_of(location: str) -> list[str]:
    """Names in a path, or in a URL together with those of the archives that it is in."""
    if PurePath(location).is_absolute():
        return list(PurePath(location).parts[1:])
    links = reversed(location.split("::"))
    return [name for link in links for name in _parts_of_url(link)]


def _parts_of_url(url: str) -> list[str]:
    path = url.partition("://")[2] or url
    # Names of the web are escaped, and a query or an anchor may follow them.
    if is_web(url):
        path = unquote(re.split("[?#]", path)[0], errors="surrogateescape")
    elif local_path(url):
        path = local_path(url)
    return [name for name in path.split("/") if name]


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

"""Names of images: bytes on a disk, UTF-8 in a store."""

import re
from pathlib import Path, PurePath
from urllib.parse import unquote

from heap.images.source import key_of, local_path


def text_of(location: str) -> str:
    """A location as UTF-8: a path that is not becomes a file URL, which `Source` takes too."""
    return location if _is_text(location) else Path(location).as_uri()


def is_web(url: str) -> bool:
    """Whether it is an address whose names may be escaped, with a query after them."""
    return url.lower().startswith(("http://", "https://"))


def key_of_url(url: str) -> str:
    """The last name in the URL; a query may hold a signature and stays out of it."""
    names = _parts_of_url(url.partition("::")[0])
    name = names[-1] if names else ""
    return key_of(name) if name.strip(".") else "image"


def parts_of(location: str) -> list[str]:
    """The names in a path, or in a URL with those of the archives that it is reached through."""
    if PurePath(location).is_absolute():
        return list(PurePath(location).parts[1:])
    links = reversed(location.split("::"))
    return [name for link in links for name in _parts_of_url(link)]


def _parts_of_url(url: str) -> list[str]:
    path = url.partition("://")[2] or url
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

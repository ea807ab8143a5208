"""Source of one encoded image: its key in the run, and how its bytes are read."""

import os
import re
import stat
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote_from_bytes, unquote_to_bytes

from heap.base.errors import InputError
from heap.base.remote import explain, file_system

BYTE_LIMIT = 512 * 2**20
"""Default limit of `Source.read`."""

STANDARD_INPUT = "-"

_URL = re.compile(r"[A-Za-z][\w+.-]*(::[A-Za-z][\w+.-]*)*://")
_FILE = "file://"
_PIECE = 2**20
"""Bytes that are read at a time, so that a file that is too large is noticed early."""
_JOINERS = "\u200c\u200d"
"""Joiners within words and emoji; other characters of the category Cf can make a name look like
another."""
_ESCAPE = re.compile(r"%(?=[0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Source:
    """Image that was listed; nothing of it has been read yet."""

    key: str
    """Unique in its listing, UTF-8, with forward slashes; see `key_of`."""
    location: str
    """Absolute path, URL, or `-` for standard input, which can be read once only."""
    opener: Callable[[], Any] | None = field(default=None, repr=False, compare=False)
    """Function that opens it on the fsspec file system that it was listed on, if any."""
    teller: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    """Function that gives its `stamp` on that file system."""

    def read(self, limit: int = BYTE_LIMIT) -> bytes:
        """Read the encoded bytes, at most `limit` of them.

        Raises:
            InputError: it cannot be read, is no regular file, or is larger than `limit`.
        """
        try:
            with self._open() as file:
                data = b"".join(_pieces(file.read, limit))
        except InputError:
            raise
        # File systems of fsspec raise errors of their own libraries.
        except Exception as error:
            reason = explain(error) or _gone(error) or reason_of(error)
            raise InputError(f"cannot read {self.location!r}: {reason}") from error
        if len(data) > limit:
            raise InputError(f"{self.location!r} is larger than the limit of {limit} bytes")
        return data

    def stamp(self) -> str:
        """Text that changes with the content and is known without reading it; empty if unknown.

        Of a file its size and times; of a URL the answer of its file system, if that listed it.
        """
        path = local_path(self.location) or self.location
        if self.teller is None and (path == STANDARD_INPUT or is_url(path)):
            return ""
        try:
            if self.teller is not None:
                return self.teller()
            status = Path(path).stat()
        # File systems of fsspec raise errors of their own libraries.
        except Exception:
            return ""
        return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"

    def _open(self) -> AbstractContextManager[Any]:
        if self.opener is not None:
            return cast(AbstractContextManager[Any], self.opener())
        if self.location == STANDARD_INPUT:
            return nullcontext(sys.stdin.buffer)
        if path := local_path(self.location):
            return _open_regular(path)
        if is_url(self.location):
            filesystem, name = file_system(self.location)
            return cast(AbstractContextManager[Any], filesystem.open(name, "rb"))
        return _open_regular(self.location)


def is_url(place: str) -> bool:
    """Whether `place` is an fsspec URL and not a path on this machine."""
    return _URL.match(place) is not None


def key_of(name: str) -> str:
    """Name of an image as UTF-8 that is safe to show.

    Bytes that are not UTF-8, control characters and those that turn the direction of writing become
    %XX byte by byte, and so does a % that could be taken for the beginning of that. `name_of` gives
    the name back.
    """
    # First what looks like an escape already, so that `name_of` gives the name back.
    escaped = _ESCAPE.sub("%25", name)
    return "".join(letter if _is_plain(letter) else _escape(letter) for letter in escaped)


def name_of(key: str) -> str:
    """Name on the disk; bytes that are not UTF-8 are in it as `os.fsdecode` has them."""
    return os.fsdecode(unquote_to_bytes(key))


def local_path(url: str) -> str:
    """Path that a file URL stands for; empty for anything else."""
    if not url.lower().startswith(_FILE):
        return ""
    return os.fsdecode(unquote_to_bytes(os.fsencode(url[len(_FILE) :])))


def reason_of(error: Exception) -> str:
    """Message of an error on one line, without the path that the caller names anyway."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())


def _gone(error: Exception) -> str:
    """Sentence for what has vanished from a remote file system, whose error is but its name."""
    vanished = isinstance(error, FileNotFoundError) and not error.strerror
    return "there is no such object (any more)" if vanished else ""


def _open_regular(path: str) -> IO[bytes]:
    return open(path, "rb", opener=_handle_of)


def _handle_of(path: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a FIFO that took a file's place would wait for a writer.
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError(f"{path!r} is no regular file; pipe images through '-' instead")
    return handle


def _pieces(read: Callable[[int], bytes], limit: int) -> Iterator[bytes]:
    """Read until the end, or until just past `limit`."""
    total = 0
    for piece in iter(partial(read, _PIECE), b""):
        yield piece
        total += len(piece)
        if total > limit:
            return


def _is_plain(letter: str) -> bool:
    return letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"


def _escape(letter: str) -> str:
    return quote_from_bytes(letter.encode("utf-8", "surrogateescape"))

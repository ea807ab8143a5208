"""Files that are written whole or not at all, and names for them."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from heap.base.errors import InputError

_READABLE_BYTES = 150
_UNSAFE = re.compile(r"[^\w-]+")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends without an error.

    Raises:
        InputError: if it cannot be written; `path` is as it was.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}); check the space and "
            "permissions there, then repeat the command"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def make_folder(path: Path) -> None:
    """Make the folder that something is to be written to.

    Raises:
        InputError: if it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path} cannot be made ({error.strerror}); choose another --out"
        ) from error


def file_stem(key: str) -> str:
    """A file name for what belongs to the image `key`, without suffix.

    It is readable, shorter than 180 bytes and valid on any file system. Keys that differ, if only
    by folder, suffix or case, get names that differ.
    """
    folder, _, name = key.rpartition("/")
    stem = name.rpartition(".")[0] or name
    text = unicodedata.normalize("NFC", f"{folder}_{stem}" if folder else stem)
    safe = _UNSAFE.sub("_", text).strip("_-")
    # The end of a path says more than its beginning.
    readable = safe.encode()[-_READABLE_BYTES:].decode(errors="ignore")
    digest = hashlib.blake2b(key.encode(), digest_size=5).hexdigest()
    return f"{readable}-{digest}" if readable else digest

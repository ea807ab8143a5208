"""Files that are written whole or not at all, names for them, and JSON that is read."""

import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from typing import IO, Any

from heap.base.errors import InputError, WriteError, first_line, is_full
from heap.base.remote import explain, file_system

_ABANDONED = 3600
"""Seconds without a change after which a half-written file is one that a killed process left."""
_READABLE_BYTES = 150
"""Bytes of a name that come from its image; with a digest and suffixes, names stay below 255."""
_UNSAFE = re.compile(r"[^\w-]+")


@contextmanager
def replacing(
    path: Path | str, *, cache: bool = False, shared: bool = False
) -> Iterator[BufferedRandom]:
    """File, to be written and read, that takes the place of `path` if the block ends well.

    `path` may be the URL of an object in a store, which is written in one step by itself.

    `shared`: several threads and processes may write it at the same time, and the last one to end
    has its way; what killed ones have left is removed. `cache`: the same, but nothing is removed,
    and the file need not survive a loss of power, so that nothing waits for the disk.

    Raises:
        WriteError: if it cannot be written; `path` is as it was.
    """
    if isinstance(path, str):
        with tempfile.TemporaryFile() as whole:
            yield whole
            whole.seek(0)
            _upload(whole, path)
        return
    # Each of several writers needs a name of its own: by one name they would cut each other's file.
    writer = f".{uuid.uuid4().hex}" if cache or shared else ""
    partial = path.with_name(f"{path.name}{writer}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shared:
            _remove_abandoned(path)
        with partial.open("w+b") as file:
            yield file
            file.flush()
            # On disk before it is renamed, or a loss of power could leave an empty file.
            if not cache:
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise WriteError(
            f"{path} cannot be written ({error.strerror or error}); check the space and "
            "permissions there, then repeat the command"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def inside(folder: Path | str, name: str) -> Path | str:
    """Path of a file or folder in a folder, or its URL where the folder is one."""
    return f"{folder}/{name}" if isinstance(folder, str) else folder / name


def _upload(file: IO[bytes], url: str) -> None:
    # File systems of fsspec raise errors of their own libraries.
    try:
        files, name = file_system(url)
        with files.open(name, "wb") as target:
            shutil.copyfileobj(file, target)
    except Exception as error:
        raise WriteError(
            f"{url} cannot be written: {explain(error) or first_line(error)}"
        ) from error


def _remove_abandoned(path: Path) -> None:
    """Remove files that killed writers of `path` have left; living ones keep changing theirs."""
    for partial in path.parent.glob(f"{glob.escape(path.name)}.*.partial"):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime > _ABANDONED:
                partial.unlink()


def read_object(path: Path) -> dict[str, Any]:
    """JSON object in a file.

    Raises:
        ValueError: if it cannot be read or is anything else, saying why in a few words.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # deeply nested JSON exhausts the stack
        raise ValueError(str(error)) from error
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    return values


def make_folder(path: Path) -> None:
    """Make a folder that is to be written to.

    Raises:
        InputError: if it cannot be made; `WriteError` on a full disk.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kind = WriteError if is_full(error) else InputError
        raise kind(f"{path} cannot be made ({error.strerror}); choose another --out") from error


def file_stem(key: str) -> str:
    """File name, without suffix, for a file that belongs to the image `key`.

    It is readable, shorter than 180 bytes and valid on any file system. Keys that differ, if only
    by folder, suffix or case, get names that differ.
    """
    folder, _, name = key.rpartition("/")
    stem = name.rpartition(".")[0] or name
    # Composed, because macOS and others disagree about how letters with accents are written.
    text = unicodedata.normalize("NFC", f"{folder}_{stem}" if folder else stem)
    safe = _UNSAFE.sub("_", text).strip("_-")
    # The end of a path says more than its beginning.
    readable = safe.encode()[-_READABLE_BYTES:].decode(errors="ignore")
    digest = hashlib.blake2b(key.encode(), digest_size=5).hexdigest()
    return f"{readable}-{digest}" if readable else digest

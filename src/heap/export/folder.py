"""Folders that appear whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heap.base.errors import InputError

MARKER = "heap-export.txt"
"""Tells an export from a folder of the user's own; no reader of a format takes it for its own."""


@contextmanager
def replacing_folder(out: Path) -> Iterator[Path]:
    """A folder that takes the place of `out` when the block ends without an error.

    The block writes `MARKER` into it. An earlier export is replaced.

    Raises:
        InputError: at once if `out` is there already and is neither an export nor empty, and later
            if something cannot be written; `out` is as it was then.
    """
    out = out.resolve()
    partial = out.with_name(f".{out.name}.partial")
    try:
        _refuse_strangers(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        partial.mkdir()
        yield partial
        _replace(out, partial)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error.strerror or error}); check the space and permissions "
            "there, or choose another --out"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _refuse_strangers(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir() or (any(out.iterdir()) and not (out / MARKER).is_file()):
        raise InputError(
            f"{out} is there already and no export; choose another --out, or delete it first"
        )


def _replace(out: Path, partial: Path) -> None:
    old = out.with_name(f".{out.name}.old")
    _remove(old)
    if out.exists():
        out.rename(old)
    try:
        partial.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)

"""Folder of an export: complete, or as it was before."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heap.base.errors import InputError, WriteError, is_full

MARKER = "heap-export.txt"
"""File that tells an export from a folder of the user's own; readers of all formats ignore it."""
_PARTIAL = ".heap-export.partial"
"""Folder, in one that is there already, in which the export is written."""
_LEAVING, _OLD = ".heap-export.leaving", ".heap-export.old"
"""Folder for the earlier export: by its first name while that is moved there, and by the second
while the new one is moved to its place."""
_PASSED_OVER = (_PARTIAL, _LEAVING, _OLD, "lost+found")
"""Names that do not count as contents; the last is in every mount point of ext4."""


@contextmanager
def replacing_folder(out: Path) -> Iterator[Path]:
    """Folder whose contents become those of `out` when the block ends without an error.

    The block writes `MARKER` into it. An earlier export is replaced. A folder that is there already
    may be a mount point, or in a folder that cannot be written: it is never renamed or removed,
    only its contents are. A process that is killed while these are exchanged, which takes a moment,
    leaves what the next call puts right.

    Raises:
        InputError: at once if `out` is there already and is neither an export nor empty, and later
            if something cannot be written, `WriteError` on a full disk; `out` is as it was then.
    """
    out = out.resolve()
    # A sibling, which takes its place in one step, or inside of the folder that has to stay.
    is_new = not out.exists()
    partial = out.with_name(f".{out.name}.partial") if is_new else out / _PARTIAL
    try:
        if not is_new:
            _recover(out)
            _refuse_strangers(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        partial.mkdir()
        yield partial
        if is_new:
            partial.rename(out)
        else:
            _refuse_strangers(out)
            _exchange(out, partial)
    except OSError as error:
        kind = WriteError if is_full(error) else InputError
        raise kind(
            f"{out} cannot be written ({error.strerror or error}); check the space and permissions "
            "there, or choose another --out"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _refuse_strangers(out: Path) -> None:
    if not out.is_dir() or (_contents(out) and not (out / MARKER).is_file()):
        raise InputError(
            f"{out} is there already and no export; choose another --out, or delete it first"
        )


def _exchange(out: Path, partial: Path) -> None:
    """Put the contents of `partial` in the place of those of `out`, which come back if that fails.

    The marker comes last: until then, what is beside `_OLD` is half of the new export.
    """
    leaving = out / _LEAVING
    leaving.mkdir()
    try:
        _move(out, leaving)
        leaving.rename(out / _OLD)
        _move(partial, out)
    except BaseException:
        _recover(out)
        raise
    _remove(out / _OLD)


def _recover(out: Path) -> None:
    """Put right what a process that was stopped in `_exchange`, or in here, has left."""
    leaving, old = out / _LEAVING, out / _OLD
    if old.is_dir() and (out / MARKER).is_file():
        _remove(old)
    elif old.is_dir():
        for path in _contents(out):
            _delete(path)
        old.rename(leaving)
    if leaving.is_dir():
        _move(leaving, out)
        leaving.rmdir()


def _move(source: Path, target: Path) -> None:
    """Move all contents of a folder; the marker last."""
    for path in sorted(_contents(source), key=lambda path: path.name == MARKER):
        path.rename(target / path.name)


def _contents(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name not in _PASSED_OVER]


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

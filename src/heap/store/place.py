"""Place of a run: a folder, which is locked and made in one step, or an object-store URL."""

import glob
import shutil
from collections.abc import Callable
from pathlib import Path

from fsspec.core import split_protocol

from heap.base.errors import InputError, WriteError, first_line, is_full
from heap.base.lock import LOCK_NAME
from heap.base.remote import explain, file_system

STORE_NAME = "store"
_PARTIAL = ".store-partial"


def folder_of(run: Path | str) -> Path | None:
    """The folder of a run on this machine, or None for one in an object store."""
    protocol, path = split_protocol(str(run))
    return Path(path) if protocol in (None, "file", "local") else None


def run_place(run: Path | str) -> Path | str:
    """Folder of a run on this machine, or its URL, without a slash at its end."""
    folder = folder_of(run)
    return str(run).rstrip("/") if folder is None else folder


def remove_files(run: Path | str, kind: str, stem: str, but: str = "") -> None:
    """Remove the files of one image from a folder of a run, whatever their suffixes, `but` one.

    `run` is what `run_place` gives.

    Raises:
        WriteError: if the store of objects that the run is in does not let us.
    """
    if isinstance(run, Path):
        for path in (run / kind).glob(f"{glob.escape(stem)}.*"):
            if path.name != but:
                path.unlink()
        return
    url = f"{run}/{kind}/{glob.escape(stem)}.*"
    # File systems of fsspec raise errors of their own libraries.
    try:
        files, pattern = file_system(url)
        for name in files.glob(pattern):
            if not name.endswith(f"/{but}"):
                files.rm_file(name)
    except Exception as error:
        reason = explain(error) or first_line(error)
        raise WriteError(f"{url} cannot be removed: {reason}") from error


def store_url(run: Path | str) -> str:
    """Path or URL of the store of `run`, for LanceDB."""
    folder = folder_of(run)
    if folder is None:
        return f"{str(run).rstrip('/')}/{STORE_NAME}"
    # From the root: LanceDB takes a ~ at the beginning for the home folder, and we do not.
    return str(folder.absolute() / STORE_NAME)


def has_store(folder: Path) -> bool:
    """Whether there is a store, damaged or not."""
    return any((folder / STORE_NAME).glob("*.lance"))


def prepare_folder(folder: Path) -> None:
    """Make the folder of a run, if need be.

    Raises:
        InputError: if it cannot be made, or if it holds something that is no run.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A run that was killed in its first moments leaves a lock and a part of a store.
        ours = (LOCK_NAME, _PARTIAL)
        strangers = any(not path.name.startswith(ours) for path in folder.iterdir())
    except OSError as error:
        kind = WriteError if is_full(error) else InputError
        raise kind(
            f"{folder} cannot be used as a run folder ({error.strerror}); choose another --out"
        ) from error
    if strangers and not has_store(folder):
        raise InputError(
            f"{folder} is not empty and holds no run; choose another --out or an empty folder"
        )


def make_store(folder: Path, fill: Callable[[str], None]) -> None:
    """Let `fill` make a store at a path, unless there is one; all or nothing."""
    if not has_store(folder):
        partial = folder.absolute() / _PARTIAL
        shutil.rmtree(partial, ignore_errors=True)
        fill(str(partial))
        # A rename is atomic: a kill before it leaves no store, and one after it a whole store.
        partial.rename(folder / STORE_NAME)

"""The photos of a run, read again: only where the user has them, and only what was discovered.

A run may come from somebody else, and its store can name any file of this machine. So a photo is
read only below the folders that were discovered or below one that the user names, and from a URL
only if the user asks for it; and it is used only if its content is what the run was made of.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import pyarrow as pa
from fsspec.core import split_protocol

from heap.base.deadline import run_within
from heap.base.errors import ImageError, InputError
from heap.config import ORIGINALS
from heap.images.source import BYTE_LIMIT, STANDARD_INPUT, Source, is_url
from heap.store import schema
from heap.store.database import put_table, reading, writing
from heap.store.place import folder_of
from heap.store.store import RunStore

GONE = "gone"
"""Stage of an `ImageError`: the photo is not where it was."""
CHANGED = "changed"
"""Stage of an `ImageError`: the file in its place has another content."""
REFUSED = "refused"
"""Stage of an `ImageError`: it is not read without the user's leave."""
SECONDS = 60.0
"""Seconds that reading a photo may take, so that a dead network drive holds up no request."""


@dataclass(frozen=True)
class Photo:
    """A photo with the content that was discovered."""

    data: bytes
    """As it is encoded."""
    place: str
    """Path or URL where it was read."""


class Photos:
    """Reads the photos of a run again; methods may be called by several threads.

    Raises:
        InputError: if `root` is no folder.
    """

    def __init__(self, store: RunStore, root: Path | None = None, *, urls: bool = False) -> None:
        if root is not None and not root.is_dir():
            raise InputError(f"the folder of photos {str(root)!r} is not there; name another one")
        self.root = root
        """Folder that the photos are in now; None: where they were."""
        self.urls = urls
        """Whether photos that came from URLs are read from there."""
        self._store = store
        self._folders: frozenset[str] = frozenset()

    def read(self, key: str, source: str, digest: str, limit: int = BYTE_LIMIT) -> Photo:
        """Read the photo of an image that was at `source`, with a content of that `digest`.

        Below `root` it may lie as deep as it did, or with some of its outer folders left out.

        Raises:
            ImageError: at the stage `GONE`, `CHANGED` or `REFUSED`.
        """
        if not source or not digest:
            reason = "the run does not know where it was: on standard input, or it is an old run"
            raise ImageError(key, REFUSED, reason)
        stage, reason = GONE, f"it is not below {str(self.root)!r}"
        for place in self._places(key, source):
            try:
                data = run_within(SECONDS, partial(Source(key, place).read, limit))
            except TimeoutError as error:
                reason = f"{place!r} does not answer: {error}"
                continue
            except InputError as error:
                if self.root is None or os.path.lexists(place):
                    reason = f"{error}; if it was moved, name the folder it is in with --photos"
                continue
            if hashlib.sha256(data).hexdigest() == digest:
                return Photo(data, place)
            stage, reason = CHANGED, f"{place!r} has another content than what was discovered"
        raise ImageError(key, stage, reason)

    def _places(self, key: str, source: str) -> Iterator[str]:
        """Places where the photo may be; raises ImageError where it must not be read."""
        path = _path_of(source)
        if path is not None and (copy := copy_in_run(self._store.run, path)) is not None:
            yield str(copy)
            return
        if self.root is not None:
            names = _names(source if path is None else path)
            for start in range(len(names)):
                yield str(self.root.joinpath(*names[start:]))
        if path is None and self.urls:
            yield source
        elif self.root is not None:
            return
        elif path is None:
            reason = f"it came from {source}, which is read again only with --urls"
            raise ImageError(key, REFUSED, reason)
        elif self._was_discovered(path):
            yield path
        else:
            reason = (
                f"{path!r} is in no folder that the run says it was made of, which runs of earlier "
                "versions do not say; name the folder of its photos with --photos"
            )
            raise ImageError(key, REFUSED, reason)

    def _was_discovered(self, path: str) -> bool:
        """Whether a path lies below a folder that photos were read from."""
        above = {str(folder) for folder in PurePath(os.path.normpath(path)).parents}
        if above.isdisjoint(self._folders):
            self._folders = _read_folders(
                self._store
            )  # a run that goes on may have got another one
        return not above.isdisjoint(self._folders)


def copy_in_run(run: Path | str, source: str) -> Path | None:
    """Path of the copy that a run keeps of an image that was in memory; None for other images."""
    folder = folder_of(run)
    if folder is None:
        return None
    run_folder = folder.absolute()
    path = Path(os.path.normpath(run_folder / source))
    return path if path.parent == Path(os.path.normpath(run_folder / ORIGINALS)) else None


def note_folders(store: RunStore, locations: Iterable[str]) -> None:
    """Note the folders of images that are worked on, in a store that is open for writing.

    Raises:
        WriteError, StoreError: if they cannot be written.
    """
    paths = (_path_of(location) for location in locations if location != STANDARD_INPUT)
    folders = {str(Path(os.path.normpath(path)).parent) for path in paths if path is not None}
    known = _read_folders(store)
    if folders <= known:
        return
    rows = [{"folder": os.fsencode(folder)} for folder in sorted(folders | known)]
    with writing(store.run):
        table = pa.Table.from_pylist(rows, schema=schema.FOLDERS_SCHEMA)
        put_table(store.database, schema.FOLDERS, table)


def _read_folders(store: RunStore) -> frozenset[str]:
    table = store.find(schema.FOLDERS)
    if table is None:
        return frozenset()
    with reading(store.run):
        return frozenset(map(os.fsdecode, table.to_arrow()["folder"].to_pylist()))


def _path_of(location: str) -> str | None:
    """The path on this machine, or None for a URL that leads elsewhere."""
    if not is_url(location):
        return location
    protocol, path = split_protocol(location)
    if protocol is None or protocol.lower() not in ("file", "local"):
        return None
    return os.fsdecode(unquote_to_bytes(os.fsencode(path)))


def _names(place: str) -> tuple[str, ...]:
    """Names in a path or URL, outermost first, from after the last `..`.

    So that no name of a store of somebody else leads out of the folder of photos.
    """
    if is_url(place):
        path: PurePath = PurePosixPath(unquote(urlsplit(place.partition("::")[0]).path))
    else:
        path = PurePath(os.path.normpath(place))
    names = path.parts[1:] if path.anchor else path.parts
    inside = next((at for at, name in enumerate(reversed(names)) if name == ".."), len(names))
    return names[len(names) - inside :]

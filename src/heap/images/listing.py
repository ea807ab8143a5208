"""Listing of the images that a path, folder, glob, list file or URL stands for, in stable order."""

import logging
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, TypeVar

from heap.base.errors import InputError
from heap.base.remote import explain, file_system
from heap.images.distinct import make_distinct
from heap.images.formats import FORMATS
from heap.images.links import LocalWalk
from heap.images.lists import names_in_list
from heap.images.names import is_web, key_of_url
from heap.images.outputs import WrittenFolders
from heap.images.skipped import OURS, TWICE, UNREADABLE, Skipped
from heap.images.source import STANDARD_INPUT, Source, is_url, key_of, local_path, reason_of
from heap.images.walking import (
    Wanted,
    image_names,
    is_pattern,
    join_path,
    split_pattern,
    walk_remote,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")
Place = str | os.PathLike[str]
Item = str | Source
"""Path on this machine, or image elsewhere, whose key is known."""

_BRACKETS = "; [12] stands for 1 or 2, and a bracket itself is written [[]"
_BRACES = "; {a,b} stands for itself: let the shell expand it, without quotes, or name both"


class Listing(Iterator[Source]):
    """Listed images, one by one."""

    def __init__(self, images: Iterator[Source], skipped: Skipped) -> None:
        self._images = images
        self.skipped = skipped
        """Files and folders that were passed over so far, by the reason."""

    def __next__(self) -> Source:
        return next(self._images)


@dataclass(frozen=True)
class _Part:
    """Images that one of the places stands for."""

    items: Iterator[Item]
    folder: str | None = None
    """Absolute path of a folder that all paths are in; None if none is on this machine."""
    repeats: bool = False
    """Whether an image may be in it more than once."""


def list_images(source: Place | Sequence[Place]) -> Listing:
    """List the images of a file, folder, glob, `.txt` list, `-`, fsspec URL, or several of these.

    Folders are walked to the bottom, first the files of a folder and then its folders, by name. Of
    folders and globs only files with the suffix of an allowed format are taken, links to such files
    and links to folders too. Hidden names are passed over, and so are pictures that this package
    has written. A list has one path (relative to the list's folder) or URL per line, see
    `heap.images.lists`; a file in it is not looked at before it is read. An image that is named
    twice is taken once.

    Keys are paths relative to the folder that is listed; where several places are, or single
    files, relative to the deepest folder that all of them are in.

    Raises:
        InputError: a place is missing or unreadable, or has no image. Raised by the call itself,
            but for folders that become unreadable later.
    """
    places = [source] if isinstance(source, str | os.PathLike) else list(source)
    if not places:
        raise InputError("no image was given: name a file, a folder, a glob, a list or a URL")
    lister = _Lister()
    parts = [lister.expand(os.fspath(place)) for place in places]
    base = _shared_folder([part.folder for part in parts if part.folder is not None])
    images: Iterator[Source] = (_to_source(item, base) for part in parts for item in part.items)
    # A single folder has neither repeats nor clashes of keys, and is listed while it is used.
    if len(parts) > 1 or parts[0].repeats:
        images = iter(make_distinct(list(lister.drop_repeats(images))))
    return Listing(lister.require_any(images, " ".join(map(str, places))), lister.skipped)


class _Lister:
    """Expansion of the places of one listing."""

    def __init__(self) -> None:
        self.skipped = Skipped()
        self._written = WrittenFolders()

    def expand(self, place: str) -> _Part:
        """Find the images that a place stands for."""
        if place == STANDARD_INPUT:
            return _Part(iter([Source("stdin", STANDARD_INPUT)]))
        if path := local_path(place):
            return self._expand_path(path)
        if not is_url(place):
            return self._expand_path(place)
        if is_web(place):
            return _Part(iter([Source(key_of_url(place), place)]))
        return self._expand_url(place)

    def drop_repeats(self, images: Iterable[Source]) -> Iterator[Source]:
        """Drop images that came before, by whatever names and links they were reached."""
        places: set[str] = set()
        for source in images:
            real = source.location if is_url(source.location) else os.path.realpath(source.location)
            if real in places:
                self.skipped[TWICE] += 1
            else:
                places.add(real)
                yield source

    def _expand_path(self, place: str) -> _Part:
        if "\0" in place:
            raise InputError(f"cannot use {place!r}: no name of a file has the character U+0000")
        path = _make_absolute(place)
        try:
            mode = path.stat().st_mode if place else 0
        except (OSError, ValueError) as error:
            if not is_pattern(place):
                raise _unusable(place, error, _BRACES if "{" in place else "") from error
            return self._glob(Path(place), place)
        if stat.S_ISDIR(mode):
            items = self._list_folder(Wanted(str(path)))
            return _Part(self.require_any(items, place), str(path))
        if not stat.S_ISREG(mode):
            raise InputError(f"{place!r} is neither a file nor a folder; pipe images through '-'")
        if path.suffix.lower() == ".txt":
            return self._read_list(path, place)
        return _Part(self._list_file(path), str(path.parent))

    def _expand_url(self, url: str) -> _Part:
        from fsspec.implementations.local import LocalFileSystem

        # File systems of fsspec raise errors of their own libraries.
        try:
            files, name = file_system(url)
            kind = _kind_of(files, name)
        except Exception as error:
            raise _unusable(url, error) from error
        if isinstance(files, LocalFileSystem):
            return self._expand_path(name)
        if kind == "file":
            return _Part(iter([_remote_source(files, name, PurePosixPath(name).name, url)]))
        if kind == "directory" or is_pattern(name):
            return _Part(self.require_any(self._list_remote(files, name, url), url))
        raise _unusable(url, FileNotFoundError("no such file or folder"))

    def _list_file(self, path: Path) -> Iterator[Item]:
        if self._written.hold(Path(os.path.realpath(path)).parent):
            self.skipped[OURS] += 1
        else:
            yield str(path)

    def _list_folder(self, wanted: Wanted) -> Iterator[Item]:
        def skip(error: OSError) -> None:
            if error.filename == wanted.base:
                raise _unusable(wanted.base, error) from error
            self.skipped[UNREADABLE] += 1
            logger.warning("passed over folder %r: %s", error.filename, reason_of(error))

        if self._written.hold(Path(os.path.realpath(wanted.base))):
            self.skipped[OURS] += 1
            return
        walk = LocalWalk(wanted, self.skipped, self._written, skip)
        for name in image_names(walk.folders(), wanted, os.path.exists, self.skipped):
            path = join_path(wanted.base, name)
            if walk.lists(path):
                yield path

    def _glob(self, pattern: Path, place: str) -> _Part:
        parts, depth, matches = split_pattern(pattern.parts, os.path.lexists)
        # Made absolute only now: the current folder's own name may look like a pattern.
        base = str(_make_absolute(str(Path(*parts))))
        items = self._list_folder(Wanted(base, depth, matches))
        return _Part(self.require_any(items, place), base)

    def _list_remote(self, files: Any, name: str, url: str) -> Iterator[Item]:
        if is_pattern(name):
            parts, depth, matches = split_pattern(name.split("/"))
            wanted = Wanted("/".join(parts), depth, matches)
        else:
            wanted = Wanted(name)
        # What follows `::` is the archive or cache that the file is reached through.
        _, chained, through = url.partition("::")
        try:
            stamps: dict[str, str] = {}
            walk = walk_remote(files, wanted.base, stamps)
            for image_name in image_names(walk, wanted, files.exists, self.skipped):
                path = join_path(wanted.base, image_name)
                location = files.unstrip_protocol(path) + chained + through
                yield _remote_source(files, path, image_name, location, stamps.get(path, ""))
        except Exception as error:
            raise _unusable(url, error) from error

    def _read_list(self, path: Path, place: str) -> _Part:
        try:
            items = [_to_item(name, path.parent) for name in names_in_list(path)]
        except OSError as error:
            raise _unusable(place, error) from error
        if torn := [str(item) for item in items if isinstance(item, str) and "\0" in item]:
            raise InputError(
                f"{place!r} is no list of images: the name {torn[0][:100]!r} has the character "
                "U+0000; save the list as UTF-8, not UTF-16 without a mark"
            )
        folders = {Path(item).parent for item in items if isinstance(item, str)}
        if any(folder.is_relative_to(path.parent) for folder in folders):
            folders.add(path.parent)  # Names that go down from the list stay as they are written.
        folder = _shared_folder([str(folder) for folder in folders]) if folders else None
        listed = self._list_items(items)
        return _Part(
            self.require_any(listed, place, "write one path or URL per line"), folder, True
        )

    def _list_items(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            if isinstance(item, str):
                yield from self._list_file(Path(item))
            else:
                yield item

    def require_any(self, items: Iterator[T], place: str, hint: str = "") -> Iterator[T]:
        """Refuse an empty listing at once, and not when it is used."""
        first = next(items, None)
        if first is None:
            wanted = hint or f"taken are {', '.join(FORMATS)} and TGA files that are not hidden"
            if is_pattern(place) and not self.skipped:
                wanted = "no name fits this pattern" + (_BRACKETS if "[" in place else "")
                wanted += _BRACES if "{" in place else ""
            passed = f"; passed over: {self.skipped}" if self.skipped else ""
            raise InputError(f"no image in {place!r}: {wanted}{passed}")
        return chain([first], items)


def _to_source(item: Item, base: str) -> Source:
    if isinstance(item, Source):
        return item
    name = PurePath(item).relative_to(base).as_posix() if base else PurePath(item).name
    return Source(key_of(name), item)


def _shared_folder(folders: Sequence[str]) -> str:
    """Deepest folder that all are in; empty if there is none, as between drives of Windows."""
    try:
        return os.path.commonpath(folders) if folders else ""
    except ValueError:
        return ""


def _kind_of(files: Any, name: str) -> str:
    """Kind of an entry of a file system, "file" or "directory"; empty if there is none."""
    # Not by `isfile`, which takes every error for no: a bucket that nobody may read would be empty.
    try:
        return str(files.info(name)["type"])
    except (FileNotFoundError, NotADirectoryError) as error:
        if explain(error):
            raise
        return ""


def _remote_source(files: Any, path: str, name: str, location: str, stamp: str = "") -> Source:
    opener = partial(files.open, path, "rb")
    # From the listing, because to ask for each object costs a request.
    teller = partial(str, stamp) if stamp else partial(files.ukey, path)
    return Source(key_of(name), location, opener, teller)


def _to_item(name: str, folder: Path) -> Item:
    """Image of a line of a list in `folder`."""
    if path := local_path(name):
        return _with_one_root(path)
    if is_url(name):
        return Source(key_of_url(name), name)
    # A name with U+0000 cannot be resolved; `_read_list` refuses it.
    return str(folder / name) if "\0" in name else str(_make_absolute(str(folder / name)))


def _with_one_root(place: str) -> str:
    """Path with one slash at its beginning: to POSIX two may be another root than one."""
    return "/" + place.lstrip("/") if place.startswith("//") and os.sep == "/" else place


def _make_absolute(place: str) -> Path:
    """Path from the root; a `..` after a link leads to the parent of the link's target."""
    path = Path(_with_one_root(place)).absolute()
    if ".." not in path.parts:
        return path
    # The last name may be a link to an image, which keeps its own name.
    return path.resolve() if path.name == ".." else path.parent.resolve() / path.name


def _unusable(place: str, error: Exception, hint: str = "") -> InputError:
    if advice := explain(error):
        return InputError(f"cannot use {place!r}: {advice}")
    return InputError(
        f"cannot use {place!r}: {reason_of(error)}; check the name and its rights{hint}"
    )

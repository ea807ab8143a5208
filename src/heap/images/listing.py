"""Find the images that a path, folder, glob, list file or URL stands for, in a stable order."""

import logging
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path, PurePath, PurePosixPath
from typing import Any
from urllib.parse import unquote

from heap.errors import InputError
from heap.images.formats import FORMATS
from heap.images.source import STANDARD_INPUT, Source, is_url, key_of, reason_of
from heap.images.walking import image_names, is_pattern, joined, split_pattern, walk_remote

logger = logging.getLogger(__name__)

Place = str | os.PathLike[str]


def list_images(source: Place | Sequence[Place]) -> Iterator[Source]:
    """List the images of a file, folder, glob, `.txt` list, `-`, fsspec URL, or several of these.

    Folders are walked to the bottom, in each first its files and then its folders, by name. Of
    folders and globs only files with the suffix of an allowed format are taken; hidden names and
    links are passed over. A list has one path (relative to the list's folder) or URL per line;
    what a line names is only looked at when it is read.

    Keys are paths relative to the listed folder, or file names. Where several places are listed,
    or a list, an image that is named twice is taken once, and a key that is taken already gets
    `#2`, `#3` and so on appended.

    Raises:
        InputError: a place is missing or unreadable, or has no image. Raised by the call itself,
            but for folders that become unreadable later.
    """
    places = [source] if isinstance(source, str | os.PathLike) else list(source)
    if not places:
        raise InputError("no image was given: name a file, a folder, a glob, a list or a URL")
    parts = [_expand(os.fspath(place)) for place in places]
    return parts[0] if len(parts) == 1 else _distinct(chain.from_iterable(parts))


def _expand(place: str) -> Iterator[Source]:
    if place == STANDARD_INPUT:
        return iter([Source("stdin", STANDARD_INPUT)])
    if not is_url(place):
        return _expand_path(place)
    if _is_web(place):
        return iter([Source(_key_of_url(place), place)])
    return _expand_url(place)


def _expand_path(place: str) -> Iterator[Source]:
    path = Path(place).absolute()
    try:
        mode = path.stat().st_mode if place else 0
    except (OSError, ValueError) as error:
        if not is_pattern(place):
            raise _unusable(place, error) from error
        return _some(_glob(Path(place)), place)
    if stat.S_ISDIR(mode):
        return _some(_folder(path), place)
    if not stat.S_ISREG(mode):
        raise InputError(f"{place!r} is neither a file nor a folder; pipe images through '-'")
    if path.suffix.lower() == ".txt":
        hint = "write one path or URL per line"
        return _some(_distinct(_lines(path)), place, hint)
    return iter([Source(key_of(path.name), str(path))])


def _expand_url(url: str) -> Iterator[Source]:
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    # Each of fsspec's file systems raises what its own library raises.
    try:
        files, name = url_to_fs(url)
        is_file, is_folder = files.isfile(name), files.isdir(name)
    except Exception as error:
        raise _unusable(url, error) from error
    if isinstance(files, LocalFileSystem):
        return _expand_path(name)
    if is_file:
        key = key_of(PurePosixPath(name).name)
        return iter([Source(key, url, partial(files.open, name, "rb"))])
    if is_folder or is_pattern(name):
        return _some(_remote(files, name, url), url)
    raise _unusable(url, FileNotFoundError("no such file or folder"))


def _folder(
    root: Path, depth: int | None = None, wanted: Callable[[str], object] = bool
) -> Iterator[Source]:
    def skip(error: OSError) -> None:
        if error.filename == str(root):
            raise _unusable(str(root), error) from error
        logger.warning("passed over folder %r: %s", error.filename, reason_of(error))

    for name in image_names(os.walk(root, onerror=skip), str(root), depth):
        path = root / name
        if wanted(name) and _is_regular(path):
            yield Source(key_of(name), str(path))


def _glob(pattern: Path) -> Iterator[Source]:
    base, depth, wanted = split_pattern(pattern.parts)
    # Made absolute only now: the current folder's own name may look like a pattern.
    return _folder(Path(*base).absolute(), depth, wanted)


def _remote(files: Any, name: str, url: str) -> Iterator[Source]:
    parts, depth, wanted = (
        split_pattern(name.split("/")) if is_pattern(name) else ([name], None, bool)
    )
    base = "/".join(parts)
    # What follows `::` is the archive or cache that the file is reached through.
    _, chained, through = url.partition("::")
    try:
        for found in filter(wanted, image_names(walk_remote(files, base), base, depth)):
            path = joined(base, found)
            location = files.unstrip_protocol(path) + chained + through
            yield Source(key_of(found), location, partial(files.open, path, "rb"))
    except Exception as error:
        raise _unusable(url, error) from error


def _lines(path: Path) -> Iterator[Source]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines:
        for line in lines:
            if name := line.rstrip("\r\n"):
                yield _line(name, path.parent)


def _line(name: str, folder: Path) -> Source:
    if is_url(name):
        return Source(_key_of_url(name), name)
    path = PurePath(name)
    # A key with `..` in it, or an absolute one, could lead out of a folder of results.
    inside = not path.is_absolute() and ".." not in path.parts
    return Source(key_of(path.as_posix() if inside else path.name), str(folder / path))


def _distinct(found: Iterable[Source]) -> Iterator[Source]:
    places: set[str] = set()
    keys: set[str] = set()
    repeats: Counter[str] = Counter()
    for source in found:
        if source.location in places:
            continue
        key = source.key
        while key in keys:
            repeats[source.key] += 1
            key = f"{source.key}#{repeats[source.key] + 1}"
        places.add(source.location)
        keys.add(key)
        yield replace(source, key=key)


def _some(found: Iterator[Source], place: str, hint: str = "") -> Iterator[Source]:
    """Refuse an empty listing at once."""
    first = next(found, None)
    if first is None:
        hint = hint or f"taken are {', '.join(FORMATS)} files that are neither hidden nor links"
        raise InputError(f"no image in {place!r}: {hint}")
    return chain([first], found)


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:  # it vanished while the folder was listed
        return False


def _key_of_url(url: str) -> str:
    """The last name in the URL; a query may hold a signature and stays out of it."""
    path = url.partition("::")[0]
    if _is_web(path):
        path = unquote(re.split("[?#]", path)[0], errors="surrogateescape")
    name = path.rstrip("/").rpartition("/")[2]
    return key_of(name) if name.strip(".") else "image"


def _is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _unusable(place: str, error: Exception) -> InputError:
    return InputError(f"cannot use {place!r}: {reason_of(error)}; check the name and its rights")

"""Walks of local and remote folders in the same order, and patterns for the names in them."""

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heap.base.errors import InputError
from heap.base.folder import MARKER
from heap.images.outputs import find_written
from heap.images.skipped import HIDDEN, OURS, Skipped

Walk = Iterable[tuple[str, list[str], list[str]]]
"""Result of `os.walk`: folders, each with the names of its folders and of its other entries."""


_VERSIONS = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "mtime", "created")
"""Names in entries of file systems of fsspec for what changes with the content of a file."""


@dataclass(frozen=True)
class Wanted:
    """Choice of the files of a walk that are listed."""

    base: str
    """Folder that the walk begins in; names are relative to it."""
    depth: int | None = None
    """Largest number of names in a path; None: to the bottom."""
    matches: Callable[[str], object] = bool
    """Test of a path against a pattern; true for all without one."""

    def takes(self, name: str) -> bool:
        """Whether a file of this name is listed if it is visible and an image by its suffix."""
        shallow = self.depth is None or name.count("/") < self.depth
        return shallow and bool(self.matches(name))


def image_names(
    walk: Walk, wanted: Wanted, exists: Callable[[str], bool], skipped: Skipped
) -> Iterator[str]:
    """Names of visible files with an allowed suffix, relative to where the walk begins."""
    for folder, folders, files in walk:
        inside = folder[len(wanted.base) :].replace(os.sep, "/").strip("/")
        level = inside.count("/") + 2 if inside else 1
        # Emptied in place, which keeps the walk from entering them.
        if level == wanted.depth or MARKER in files:
            folders.clear()
        if MARKER in files:
            skipped[OURS] += 1
            continue
        _keep_visible(folder, folders, exists, skipped)
        for name in sorted(files):
            path = f"{inside}/{name}" if inside else name
            if wanted.takes(path) and not skipped.refuses(name):
                yield path


def _keep_visible(
    folder: str, folders: list[str], exists: Callable[[str], bool], skipped: Skipped
) -> None:
    """Remove the names of folders that are not to be walked, and sort the others, in place."""
    hidden = {name for name in folders if name.startswith(".")}
    written = find_written(folder, folders, exists)
    skipped.update([HIDDEN] * len(hidden) + [OURS] * len(written))
    folders[:] = sorted(set(folders) - hidden - written)


def walk_remote(files: Any, folder: str, stamps: dict[str, str]) -> Walk:
    """Walk a folder as `os.walk` does, on fsspec, whose own `walk` drops unreadable folders.

    `stamps` holds what the listing says of the content of the files in the present folder, by path.
    """
    names: dict[bool, list[str]] = {True: [], False: []}
    stamps.clear()
    for entry in files.ls(folder, detail=True):
        path = entry["name"].rstrip("/")
        # Some file systems list a folder among its own entries.
        if path.strip("/") != folder.strip("/"):
            names[entry["type"] == "directory"].append(path.rpartition("/")[2])
            if stamp := _stamp(entry):
                stamps[path] = stamp
    yield folder, names[True], names[False]
    for name in names[True]:
        yield from walk_remote(files, join_path(folder, name), stamps)


def _stamp(entry: Mapping[str, Any]) -> str:
    """Text that changes with the content of a file; empty if its file system does not tell."""
    version = next((str(entry[name]) for name in _VERSIONS if entry.get(name)), "")
    return version and f"{entry.get('size')}-{version}"


def join_path(folder: str, name: str) -> str:
    """Path of an entry of a folder; an archive's own root folder has the empty name."""
    return f"{folder.rstrip('/')}/{name}" if folder else name


def split_pattern(
    parts: Sequence[str], exists: Callable[[str], bool] = lambda path: False
) -> tuple[Sequence[str], int | None, Callable[[str], object]]:
    """Cut a pattern into the folder it starts from, its depth (None: any) and its test.

    A name with wildcards that `exists` just so stands for itself, if all before it do.
    """
    from fsspec.utils import glob_translate

    # Only from the first part with a wildcard on: names before it are taken as they are.
    wild = (
        index
        for index, part in enumerate(parts)
        if is_pattern(part) and not exists(os.path.join(*parts[: index + 1]))  # noqa: PTH118
    )
    # If there is none, the walk of the whole path says what is wrong with it.
    start = next(wild, len(parts))
    rest = parts[start:]
    depth = None if "**" in rest else len(rest)
    try:
        return parts[:start], depth, re.compile(glob_translate("/".join(rest))).match
    except (ValueError, re.error) as error:
        raise InputError(f"cannot use the pattern {'/'.join(parts)!r}: {error}") from error


def is_pattern(place: str) -> bool:
    """Whether `place` has wildcards, which are what `glob` would escape."""
    return glob.escape(place) != place

"""Walk local and remote folders in the same order, and match what they hold with patterns."""

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from heap.errors import InputError
from heap.images.formats import suffixes

Walk = Iterable[tuple[str, list[str], list[str]]]
"""What `os.walk` gives: a folder, and the names of its folders and of its other entries."""


def image_names(walk: Walk, base: str, depth: int | None) -> Iterator[str]:
    """Visible files with an allowed suffix, relative to `base`, at most `depth` names deep."""
    for folder, folders, files in walk:
        inside = folder[len(base) :].replace(os.sep, "/").strip("/")
        level = inside.count("/") + 2 if inside else 1
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if level == depth:
            folders.clear()
        for name in sorted(files):
            if not name.startswith(".") and PurePosixPath(name).suffix.lower() in suffixes():
                yield f"{inside}/{name}" if inside else name


def walk_remote(files: Any, folder: str) -> Walk:
    """As `os.walk`, on fsspec, whose own `walk` drops folders that it fails to list."""
    names: dict[bool, list[str]] = {True: [], False: []}
    for entry in files.ls(folder, detail=True):
        path = entry["name"].rstrip("/")
        if path.strip("/") != folder.strip("/"):
            names[entry["type"] == "directory"].append(path.rpartition("/")[2])
    yield folder, names[True], names[False]
    for name in names[True]:
        yield from walk_remote(files, joined(folder, name))


def joined(folder: str, name: str) -> str:
    """The path of an entry; an archive's own root folder has the empty name."""
    return f"{folder.rstrip('/')}/{name}" if folder else name


def split_pattern(
    parts: Sequence[str],
) -> tuple[Sequence[str], int | None, Callable[[str], object]]:
    """Cut a pattern into the folder it starts from, its depth (None: any) and its test."""
    from fsspec.utils import glob_translate

    start = next(index for index, part in enumerate(parts) if is_pattern(part))
    rest = parts[start:]
    depth = None if "**" in rest else len(rest)
    try:
        return parts[:start], depth, re.compile(glob_translate("/".join(rest))).match
    except (ValueError, re.error) as error:
        raise InputError(f"cannot use the pattern {'/'.join(parts)!r}: {error}") from error


def is_pattern(place: str) -> bool:
    """Whether `place` has wildcards."""
    return glob.escape(place) != place

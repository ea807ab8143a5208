"""Opening of a data set by its name and path, and descriptions of all of them."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from heap.base.errors import InputError
from heap.base.lookup import find
from heap.benchmark.datasets.catalogue import CATALOGUE, Entry
from heap.benchmark.datasets.problems import refuse_problems
from heap.benchmark.truth import Dataset


def open_dataset(
    spec: str, limit: int | None = None, splits: Sequence[str] | None = None
) -> Dataset:
    """Open the data set `NAME:PATH`: names are listed, images and their annotations not read yet.

    Args:
        spec: Such as `voc2012-seg:/data/VOCdevkit`.
        limit: At most so many images of each split, the first ones by name.
        splits: Splits to open instead of those that `heap datasets` marks as opened.

    Raises:
        InputError: if there is no such data set, or it is not complete.
    """
    name, _, place = spec.partition(":")
    if not place:
        raise InputError(f"{spec!r} is no data set: write NAME:PATH, such as folder:/data/photos")
    if limit is not None and limit < 1:
        raise InputError(f"the limit of {limit} images leaves none: take at least 1")
    entry = entry_of(name)
    contents = entry.layout.read(expand_home(place), _choose_splits(entry, splits), limit)
    refuse_problems(list(contents.problems))
    return Dataset(name, contents.place, contents.examples, contents.classes)


def expand_home(place: str | Path) -> Path:
    """Replace a ~ at the beginning of a place by the home folder.

    Raises:
        InputError: if there is no such user.
    """
    try:
        return Path(place).expanduser()
    except RuntimeError:
        raise InputError(f"{str(place)!r} is in the home folder of nobody; name another") from None


def entry_of(name: str) -> Entry:
    """Return the entry of a data set in the catalogue.

    Raises:
        InputError: if there is none of this name.
    """
    return find("data set", name, CATALOGUE, "heap datasets")


def describe_datasets() -> list[dict[str, Any]]:
    """Return all data sets as plain values: descriptions, layouts, splits and checksums.

    Counts and checksums whose `verified` is false are as others state them.
    """
    return [
        {
            "name": entry.name,
            "about": entry.about,
            "tree": entry.tree,
            "splits": [asdict(split) for split in entry.splits],
            "checksums": [asdict(checksum) for checksum in entry.checksums],
            "url": entry.url,
            "licence": entry.licence,
        }
        for entry in CATALOGUE.values()
    ]


def _choose_splits(entry: Entry, splits: Sequence[str] | None) -> tuple[str, ...]:
    if splits is None:
        return tuple(split.name for split in entry.splits if split.opened)
    known = [split.name for split in entry.splits]
    if known and (unknown := [name for name in splits if name not in known]):
        raise InputError(f"{entry.name} has no split {unknown[0]!r}; it has {', '.join(known)}")
    return tuple(splits)

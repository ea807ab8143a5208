"""Check of a data set for everything that is missing or wrong."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from heap.base.errors import InputError
from heap.base.progress import OnProgress, silent
from heap.benchmark.datasets.catalogue import Checksum, Entry, Split
from heap.benchmark.datasets.layout import Contents
from heap.benchmark.datasets.opening import entry_of, expand_home
from heap.benchmark.datasets.planes import upright_size
from heap.benchmark.datasets.problems import DataError, Problem
from heap.benchmark.truth import Example
from heap.images.source import reason_of

_STAGE = "checking"


def check_dataset(
    name: str, path: str | Path, on_progress: OnProgress = silent
) -> tuple[Problem, ...]:
    """Return everything that is missing or wrong; nothing if all is well.

    Annotations are read in full, images only up to their headers.

    Raises:
        InputError: if there is no data set of this name, or no such home folder.
    """
    entry, place = entry_of(name), expand_home(path)
    if not place.exists():
        return (Problem(str(place), "does not exist"),)
    problems = [problem for checksum in entry.checksums for problem in _check_file(checksum, place)]
    seen: set[Path] = set()
    for splits in _split_groups(entry):
        try:
            contents = _read(entry, place, splits)
        except InputError as error:
            problems += _problems_of(error, place)
            continue
        problems += (*contents.problems, *contents.strays, *_check_splits(splits, contents))
        new = [example for example in contents.examples if example.image not in seen]
        seen.update(example.image for example in new)
        problems += _check_examples(new, on_progress)
    # Splits that share images, or that lack the same folder, report the same twice.
    return tuple(dict.fromkeys(problems))


def _split_groups(entry: Entry) -> Iterator[Sequence[Split]]:
    """Splits that are opened, then the others one by one, because they may overlap with them."""
    yield [split for split in entry.splits if split.opened]
    for split in entry.splits:
        if not split.opened:
            yield [split]


def _read(entry: Entry, place: Path, splits: Sequence[Split]) -> Contents:
    names = [split.name for split in splits if split.opened or entry.layout.has(place, split.name)]
    return entry.layout.read(place, names, None)


def _check_splits(splits: Sequence[Split], contents: Contents) -> Iterator[Problem]:
    for split in splits:
        place, listed = f"{contents.place}, split {split.name}", contents.listed.get(split.name)
        if listed is None:
            continue
        if split.images not in (None, listed):
            doubt = "" if split.verified else ", a count as published that we did not verify"
            yield Problem(place, f"has {listed} images instead of {split.images}{doubt}")
        elif split.sha256 and split.sha256 != _digest_of_names(split, contents):
            yield Problem(place, "its images do not have the names of the official ones")


def _digest_of_names(split: Split, contents: Contents) -> str:
    names = sorted(
        example.image.name for example in contents.examples if example.split == split.name
    )
    return hashlib.sha256("".join(f"{name}\n" for name in names).encode()).hexdigest()


def _check_file(checksum: Checksum, place: Path) -> Iterator[Problem]:
    path = place / checksum.file
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, checksum.algorithm).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        # Archives need not be kept, and whoever reads a missing list reports it.
        return
    except OSError as error:
        yield Problem(str(path), f"cannot be read: {reason_of(error)}")
        return
    if digest != checksum.value:
        doubt = "" if checksum.verified else ", a value as published that we did not verify"
        what = f"its {checksum.algorithm} is {digest} instead of {checksum.value}{doubt}"
        yield Problem(str(path), what)


def _check_examples(examples: Sequence[Example], on_progress: OnProgress) -> Iterator[Problem]:
    for number, example in enumerate(examples, start=1):
        try:
            example.read(*upright_size(example.image))
        except InputError as error:
            yield from _problems_of(error, example.image)
        on_progress(_STAGE, number, len(examples))


def _problems_of(error: InputError, place: Path) -> tuple[Problem, ...]:
    return error.problems if isinstance(error, DataError) else (Problem(str(place), str(error)),)

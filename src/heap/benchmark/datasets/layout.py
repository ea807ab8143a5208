"""Base of the layouts of data sets on disk, and functions to read them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from heap.benchmark.datasets.problems import DataError, Problem
from heap.benchmark.truth import Example
from heap.images import Source

_LIST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Contents:
    """Contents of a data set at a path; no image and no annotation file has been read yet."""

    place: Path
    examples: tuple[Example, ...]
    """Examples by split, then by key; those with a missing file are left out."""
    listed: dict[str, int]
    """Number of images that each split names, whether they can be used or not."""
    problems: tuple[Problem, ...]
    """Problems that keep the data set from being used."""
    strays: tuple[Problem, ...] = ()
    """Files that should not be there, but do no harm."""
    classes: tuple[str, ...] = ()


class Layout(ABC):
    """One way in which images and annotations are laid out on disk."""

    def has(self, path: Path, split: str) -> bool:
        """Whether the data set at `path` comes with this split."""
        return True

    @abstractmethod
    def read(self, path: Path, splits: Sequence[str], limit: int | None) -> Contents:
        """List the splits, at most the first `limit` images of each.

        Raises:
            DataError: if this is not the layout, or a file that all images need cannot be read.
        """


@dataclass(frozen=True)
class Names:
    """The lines of a list of images."""

    path: Path
    lines: dict[str, int] = field(default_factory=dict)
    """Numbers of the lines, from 1, by the name in them."""
    problems: tuple[Problem, ...] = ()

    def at(self, name: str) -> str:
        """Place in the list that has the name."""
        return f"{self.path}, line {self.lines[name]}"


def read_names(path: Path) -> Names:
    """Read the image names of a list, one a line; empty lines are passed over.

    Raises:
        InputError: if the list cannot be read.
    """
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    for number, line in enumerate(_read_lines(path), start=1):
        name, place = line.strip(), f"{path}, line {number}"
        if name in lines:
            what = f"{name!r} is named twice, first on line {lines[name]}"
            problems.append(Problem(place, what))
        elif name and (fault := name_fault(name)):
            problems.append(Problem(place, fault))
        elif name:
            lines[name] = number
    if not lines:
        problems.append(Problem(str(path), "names no image"))
    return Names(path, lines, tuple(problems))


def _read_lines(path: Path) -> list[str]:
    data = Source(path.name, str(path)).read(_LIST_BYTES)
    try:
        return data.decode().splitlines()
    except UnicodeDecodeError as error:
        raise DataError(Problem(str(path), "is no text in UTF-8")) from error


def name_fault(name: str) -> str | None:
    """Return the reason why a file that an annotation names must not be opened, or None.

    Names have to be relative and lead down; they can leave the data set only by a link that its
    owner has put there.
    """
    path = PureWindowsPath(name)  # knows both kinds of slash, and drives
    if path.drive or path.root or ".." in path.parts:
        return f"the file name {name!r} leads out of the data set"
    if not path.parts or "\0" in name:
        return f"{name!r} is no file name"
    return None


def visible_files(folder: Path, wanted: set[str] | frozenset[str]) -> list[str]:
    """Names of the files of a folder with one of the suffixes, sorted; hidden ones are left out."""
    return sorted(
        entry.name
        for entry in folder.iterdir()
        if not entry.name.startswith(".") and entry.suffix.lower() in wanted and entry.is_file()
    )


def missing_files(*paths: Path, why: str = "") -> list[Problem]:
    """A problem for each of the paths at which there is no file."""
    return [Problem(str(path), f"is missing{why}") for path in paths if not path.is_file()]


def missing_folders(*paths: Path) -> list[Problem]:
    """A problem for each of the paths at which there is no folder."""
    return [Problem(str(path), "is missing, or no folder") for path in paths if not path.is_dir()]


def find_root(path: Path, wanted: str, *below: str) -> Path:
    """The first folder of `path` and those named below it in which there is `wanted`.

    Raises:
        DataError: if there is none.
    """
    if not path.is_dir():
        raise DataError(Problem(str(path), "is no folder"))
    for root in (path, *(path / name for name in below)):
        if (root / wanted).is_dir():
            return root
    where = " or in ".join(("it", *below))
    raise DataError(Problem(str(path), f"there is no folder {wanted} in {where}"))

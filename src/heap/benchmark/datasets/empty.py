"""Images without an object, in folders by kind: any object that is found is a false alarm."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from heap.benchmark.datasets.layout import Contents, Layout, missing_folders, visible_files
from heap.benchmark.datasets.problems import Problem, refuse_problems
from heap.benchmark.truth import Example, Truth
from heap.images.formats import suffixes
from heap.images.source import key_of


class Empty(Layout):
    """A folder of folders; each of them is a split of its own name."""

    def read(self, path: Path, splits: Sequence[str], limit: int | None) -> Contents:
        """List the images of some splits, or of all that there are if none is named."""
        refuse_problems(missing_folders(path, *(path / split for split in splits)))
        images = {split: _images(path / split) for split in splits or _folders(path)}
        chosen = {split: names[:limit] for split, names in images.items() if names}
        examples = [
            Example(key_of(f"{split}/{name}"), path / split / name, split, _nothing)
            for split, names in chosen.items()
            for name in names
        ]
        problems = [] if examples else [Problem(str(path), "has no folder with an image in it")]
        strays = [
            Problem(str(path / name), "is left out: it is in none of the folders")
            for name in _images(path)
        ]
        listed = {split: len(names) for split, names in chosen.items()}
        return Contents(path, tuple(examples), listed, tuple(problems), tuple(strays))


def _folders(path: Path) -> list[str]:
    return sorted(
        entry.name
        for entry in path.iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    )  # fmt: skip


def _images(folder: Path) -> list[str]:
    return visible_files(folder, suffixes())


def _nothing(width: int, height: int) -> Truth:
    """Annotation of every image: everything is background."""
    return Truth(
        boxes=np.zeros((0, 4)),
        crowds=np.zeros(0, dtype=bool),
        foreground=np.zeros((height, width), dtype=bool),
        instances=np.zeros((0, height, width), dtype=bool),
    )

"""PASCAL VOC: images, boxes and class masks in one folder, and lists that pick from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from heap.benchmark.datasets.layout import (
    Contents,
    Layout,
    Names,
    find_root,
    missing_files,
    missing_folders,
    read_names,
)
from heap.benchmark.datasets.planes import read_indices
from heap.benchmark.datasets.problems import DataError, Problem, refuse_problems
from heap.benchmark.datasets.voc_xml import read_boxes
from heap.benchmark.truth import VOID, Example, Truth
from heap.images.source import key_of

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip


@dataclass(frozen=True)
class Voc(Layout):
    """Lists and masks of the devkit that belong to the data set."""

    year: str
    lists: Mapping[str, str]
    """File under ImageSets, without its suffix, by split."""
    masks: Mapping[str, str] = field(default_factory=dict)
    """Folder of class masks by split; either all splits have one, or none has."""

    def has(self, path: Path, split: str) -> bool:
        """Whether there is a list of the split; test sets come separately."""
        return self._list(self._root(path), split).is_file()

    def read(self, path: Path, splits: Sequence[str], limit: int | None) -> Contents:
        """List the images that are named in the lists of the splits."""
        root = self._root(path)
        lists = {split: self._list(root, split) for split in splits}
        folders = sorted({"Annotations", *(self.masks[split] for split in splits if self.masks)})
        missing = missing_folders(*(root / folder for folder in folders))
        refuse_problems(missing_files(*lists.values()) + missing)
        named = {split: read_names(path) for split, path in lists.items()}
        problems = [problem for names in named.values() for problem in names.problems]
        problems += _repeats(list(named.values()))
        examples: list[Example] = []
        for split, names in named.items():
            for name in sorted(names.lines)[:limit]:
                example, gone = self._example(root, split, name, names.at(name))
                examples += [] if gone else [example]
                problems += gone
        listed = {split: len(sorted(names.lines)[:limit]) for split, names in named.items()}
        classes = CLASSES if self.masks else ()
        return Contents(root, tuple(examples), listed, tuple(problems), classes=classes)

    def _example(
        self, root: Path, split: str, name: str, where: str
    ) -> tuple[Example, list[Problem]]:
        """Make the example of a name that is listed somewhere; returns the missing files too."""
        files: tuple[Path, ...] = (
            root / "JPEGImages" / f"{name}.jpg",
            root / "Annotations" / f"{name}.xml",
        )
        if self.masks:
            files = (*files, root / self.masks[split] / f"{name}.png")
        example = Example(key_of(files[0].name), files[0], split, partial(_truth, files))
        return example, missing_files(*files, why=f", but named in {where}")

    def _root(self, path: Path) -> Path:
        year = f"VOC{self.year}"
        return find_root(path, "JPEGImages", year, f"VOCdevkit/{year}")

    def _list(self, root: Path, split: str) -> Path:
        return root / "ImageSets" / f"{self.lists[split]}.txt"


def _repeats(lists: list[Names]) -> list[Problem]:
    """Problems of images that two of the lists name: an image is one example, in one split."""
    problems: list[Problem] = []
    for index, names in enumerate(lists):
        for earlier in lists[:index]:
            both = sorted(names.lines.keys() & earlier.lines.keys())
            problems += (
                Problem(names.at(name), f"{name!r} is also in {earlier.at(name)}") for name in both
            )
    return problems


def _truth(files: tuple[Path, ...], width: int, height: int) -> Truth:
    image, annotation, *masks = files
    boxes, names = read_boxes(annotation, image.name, width, height)
    crowds = np.zeros(len(boxes), dtype=bool)
    if not masks:
        return Truth(boxes, crowds, box_classes=names)
    classes = _read_classes(masks[0], width, height)
    void = classes == VOID
    return Truth(boxes, crowds, (classes > 0) & ~void, void, classes, box_classes=names)


def _read_classes(path: Path, width: int, height: int) -> UInt8[np.ndarray, "height width"]:
    classes = read_indices(path, width, height)
    wrong = np.argwhere((classes >= len(CLASSES)) & (classes != VOID))
    if len(wrong):
        row, col = wrong[0]
        what = f"class {classes[row, col]} at x {col}, y {row}; there are 0 to 20, and {VOID}"
        raise DataError(Problem(str(path), what))
    return classes

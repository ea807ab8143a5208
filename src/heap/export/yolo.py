"""YOLO: one text file for each image, with one polygon or one box for each object."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np

from heap.export.items import Item, Labelled
from heap.export.writer import Add, file_in
from heap.masks.outlines import CENTRE, outline

Shares = Callable[[Labelled], np.ndarray | None]
"""Function from an object to the numbers of its line, in pixels: x and y in turn; None: no line."""


def yolo_writer(
    folder: Path, classes: Sequence[str], splits: Sequence[str]
) -> AbstractContextManager[Add]:
    """Writer of `data.yaml` and `labels/SPLIT/NAME.txt` beside `images/SPLIT`; see `Writer`.

    A line is the number of a class, from 0, and one polygon in shares of the width and height; the
    format knows no holes and no pieces, so they are joined as `heap.masks.outlines` says. Images
    without objects have an empty file: to a trainer they are background.
    """
    return _yolo(folder, classes, splits, _ring)


def yolo_box_writer(
    folder: Path, classes: Sequence[str], splits: Sequence[str]
) -> AbstractContextManager[Add]:
    """The same with the box of each object: its centre, width and height."""
    return _yolo(folder, classes, splits, _box)


@contextmanager
def _yolo(
    folder: Path, classes: Sequence[str], splits: Sequence[str], shares: Shares
) -> Iterator[Add]:
    numbers = {name: number for number, name in enumerate(classes)}
    for split in splits:
        for part in ("images", "labels"):
            (folder / part / split).mkdir(parents=True, exist_ok=True)

    def add(item: Item, split: str, image: str) -> None:
        path = file_in(folder / "labels" / split, f"{item.name}.txt")
        path.write_text(_lines(item, numbers, shares), encoding="ascii", newline="\n")

    yield add
    path = folder / "data.yaml"
    path.write_text(_yaml(classes, splits), encoding="utf-8", newline="\n")


def _lines(item: Item, numbers: dict[str, int], shares: Shares) -> str:
    lines = []
    for labelled in item.objects:
        pixels = shares(labelled)
        if pixels is not None:
            scaled = pixels.reshape(-1, 2) / np.array([item.width, item.height])
            values = " ".join(f"{share:.6f}" for share in scaled.ravel())
            lines.append(f"{numbers[labelled.label]} {values}\n")
    return "".join(lines)


def _ring(labelled: Labelled) -> np.ndarray | None:
    ring = outline(labelled.pixels)
    return None if ring is None else ring + CENTRE


def _box(labelled: Labelled) -> np.ndarray:
    x1, y1, x2, y2 = labelled.box
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1])


def _yaml(classes: Sequence[str], splits: Sequence[str]) -> str:
    """Text of data.yaml. Ultralytics wants both train and val, and looks for both beside it."""
    folders = {split: f"images/{split}" for split in splits}
    folders.setdefault("train", f"images/{splits[0]}")
    folders.setdefault("val", folders["train"])
    # Every string of JSON is also one of YAML, whatever signs are in it.
    names = (f"  {at}: {json.dumps(name, ensure_ascii=False)}" for at, name in enumerate(classes))
    places = (f"{split}: {place}" for split, place in folders.items())
    return "\n".join([*places, "names:", *names, ""])

"""Comparison of an export with its store, image by image and object by object."""

import math
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.report import Row
from benchmarks.rereading import Consumer, Mask, Read
from heap.export.items import read_keys
from heap.export.names import file_names
from heap.results import Rle
from heap.run import Run

FAITHFUL = 0.98
"""IoU that a mask has to come back with."""
NEAR = 0.5
"""Pixels that the edges of a box may be off."""


@dataclass(frozen=True)
class Known:
    """An object of the store."""

    id: str
    label: str
    mask: Rle
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Held:
    """Contents of a store."""

    images: dict[str, list[Known]]
    """The objects of each image, by the name that its files have, without suffix."""
    classes: int

    def counts(self) -> Row:
        """Numbers of images, objects and classes."""
        known = [len(objects) for objects in self.images.values()]
        return {
            "images": len(known), "with_objects": sum(map(bool, known)), "objects": sum(known),
            "classes": self.classes,
        }  # fmt: skip


def read_store(run: Path) -> Held:
    """Read a run by `heap.open`; objects of no category are of the class `other`."""
    collection = Run(run)
    titles = {category.id: category.title for category in collection.categories}
    table = collection.objects.to_arrow()
    labels = {
        name: titles.get(category, "other")
        for name, category in zip(
            table["id"].to_pylist(), table["category"].to_pylist(), strict=True
        )
    }
    names = file_names(read_keys(collection.store))
    images = {
        names[result.key]: [
            Known(f"{result.key}#{at}", labels[f"{result.key}#{at}"], mask, tuple(box))
            for at, (mask, box) in enumerate(
                zip(result.objects.masks, result.objects.boxes.tolist(), strict=True)
            )
        ]
        for result in collection.results()
    }
    return Held(images, len(set(titles.values()) | set(labels.values())))


def reread(held: Held, format: str, consumer: Consumer, folder: Path) -> Row:
    """Read an export with one of its consumers, and compare it with the store."""
    began = time.monotonic()
    score = _Score()
    for name, objects in consumer.read(folder):
        known = held.images[str(PurePosixPath(name).with_suffix(""))]
        score.add(known, objects, visible=consumer.visible)
    seconds = time.monotonic() - began
    about = {"step": f"read {format}", "reader": consumer.name, "seconds": seconds}
    return about | {"images_without_objects": True} | score.row()


def recut(held: Held, folder: Path) -> Row:
    """Compare the crops with the masks in the boxes; a crop is named by its image and its place."""
    began = time.monotonic()
    score = _Score()
    # Below the folders of the split and of the class.
    parts = {path: path.relative_to(folder).parts for path in folder.rglob("*.png")}
    places = {"/".join(names[2:]): (path, names[1]) for path, names in parts.items()}
    for name, known in held.images.items():
        objects = []
        for at, object in enumerate(known):
            path, label = places[f"{name}-{at}.png"]
            mask = np.zeros((object.mask.height, object.mask.width), dtype=bool)
            x1, y1, x2, y2 = map(int, object.box)
            with Image.open(path) as crop:
                mask[y1:y2, x1:x2] = np.asarray(crop)[..., 3] > 0
            objects.append(Read(label, mask))
        score.add(known, objects)
    about = {"step": "read crops", "reader": "Pillow", "seconds": time.monotonic() - began}
    return about | {"images_without_objects": True} | score.row()


def judge(row: Row, held: Row) -> dict[str, Any]:
    """Score of one reader: whether everything is there, and how like the stored objects it is."""
    images = held["images" if row["images_without_objects"] else "with_objects"]
    counted = [row[name] for name in ("images", "objects", "classes", "labels")]
    whole = counted == [images, held["objects"], held["classes"], held["objects"]]
    ious = {float(value): count for value, count in row["ious"].items()}
    off = max(map(float, row["boxes_off"]), default=None)
    return {
        "passed": whole and not row["below"] and (off is None or off <= NEAR),
        "whole": whole,
        "iou_least": min(ious),
        "iou_mean": sum(value * count for value, count in ious.items()) / sum(ious.values()),
        "below": len(row["below"]),
        "box_off": off,
    }


class _Score:
    """Compares images one by one."""

    def __init__(self) -> None:
        self._images = self._objects = self._labels = 0
        self._classes: set[str] = set()
        self._ious: Counter[str] = Counter()
        self._below: list[list[Any]] = []
        self._off: Counter[str] = Counter()

    def add(self, known: list[Known], objects: list[Read], *, visible: bool = False) -> None:
        self._images += 1
        self._objects += len(objects)
        self._classes |= {read.label for read in objects}
        covered: Mask | None = None
        for stored, read in zip(known, objects, strict=False):
            self._labels += stored.label == read.label
            if read.box is not None:
                off = max(abs(a - b) for a, b in zip(stored.box, read.box, strict=True))
                self._off[f"{off:.2f}"] += 1
            if read.mask is None:
                continue
            mask = stored.mask.decode()
            if visible:
                covered = np.zeros_like(mask) if covered is None else covered
                mask, covered = mask & ~covered, covered | mask
            self._compare(stored.id, read.mask, mask)

    def _compare(self, name: str, read: Mask, mask: Mask) -> None:
        union = int((read | mask).sum())
        iou = int((read & mask).sum()) / union if union else 1.0
        # Rounded down, so that what is below a limit does not come out at it.
        down = math.floor(iou * 10_000) / 10_000
        self._ious[f"{down:.4f}"] += 1
        if iou < FAITHFUL:
            self._below.append([name, round(iou, 4), int(mask.sum())])

    def row(self) -> Row:
        return {
            "images": self._images, "objects": self._objects, "classes": len(self._classes),
            "labels": self._labels, "ious": dict(sorted(self._ious.items())),
            "boxes_off": dict(sorted(self._off.items())), "below": self._below,
        }  # fmt: skip

"""For every box of VOC, whether the most similar box of another image is of its class."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.animals import examples_in
from benchmarks.report import Row
from heap.images import Picture
from heap.model.embedding import Box
from heap.model.heap import Heap
from heap.store.columns import unit_vectors


def neighbours(heaps: Mapping[str, Heap], data: Path) -> list[Row]:
    """Rows of the boxes, with a hit or miss for each of the encoders."""
    boxes: list[tuple[Picture, Box]] = []
    kinds: list[str] = []
    images: list[int] = []
    examples = examples_in(data)
    for number, example in enumerate(examples):
        picture = example.picture()
        truth = example.truth(picture)
        assert truth.box_classes is not None
        boxes += [(picture, box.tolist()) for box in truth.boxes]
        kinds += truth.box_classes
        images += [number] * len(truth.boxes)
    same_image = np.equal.outer(images, images)
    hits = {}
    for name, heap in heaps.items():
        vectors = unit_vectors(heap.embed(boxes))
        nearest = np.where(same_image, -np.inf, vectors @ vectors.T).argmax(axis=1)
        hits[name] = [kinds[index] == kind for index, kind in zip(nearest, kinds, strict=True)]
    return [
        {"box": f"{examples[image].key}#{at}", "hits": {name: hits[name][at] for name in heaps}}
        for at, image in enumerate(images)
    ]


def of_images(rows: Sequence[Row]) -> list[Row]:
    """The rows of whole images among all of a study."""
    return [row for row in rows if "image" in row]


def summarise_boxes(rows: Sequence[Row]) -> dict[str, Any]:
    """Number of boxes, and the share of hits of each encoder."""
    hits = [row["hits"] for row in rows if "box" in row]
    return {
        "boxes": len(hits),
        "neighbour": {name: float(np.mean([row[name] for row in hits])) for name in hits[0]},
    }

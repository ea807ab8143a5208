"""The VOC12 animals, and what `heap discover` has found of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heap.benchmark.datasets import open_dataset
from heap.benchmark.metrics.boxes import HIT, box_iou
from heap.benchmark.truth import Example
from heap.store.store import RunStore

SET = "voc12-animals"


@dataclass(frozen=True)
class Annotated:
    """Classes that VOC has of the images of a run, and of the objects that were found in them."""

    objects: int
    """Objects of the run, annotated or not."""
    shown: dict[str, set[str]]
    """Classes that an image shows."""
    classes: dict[str, str]
    """Class of each object, by its id, whose box has an IoU of at least 0.5 with one of VOC's: that
    of the box with the highest. Difficult objects of VOC count too."""


def examples_in(data: Path) -> list[Example]:
    """The annotated images, in the order in which a run has them."""
    listed = open_dataset(f"voc2012-seg:{data}/{SET}").examples
    return sorted(listed, key=lambda example: example.key)


def annotated(run: Path, examples: Sequence[Example]) -> Annotated:
    """Match what was found in each image with what is annotated there."""
    objects, shown, classes = 0, {}, {}
    for example, result in zip(examples, RunStore.open(run).results(), strict=True):
        assert example.key == result.key
        truth = example.read(result.width, result.height)
        assert truth.box_classes is not None
        shown[result.key] = set(truth.box_classes)
        overlap = box_iou(result.objects.boxes, truth.boxes)
        objects += len(overlap)
        for index in np.flatnonzero(overlap.max(axis=1, initial=0) >= HIT):
            classes[f"{result.key}#{index}"] = truth.box_classes[overlap[index].argmax()]
    return Annotated(objects, shown, classes)

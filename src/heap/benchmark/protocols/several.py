"""Several objects: recall of a few boxes in images with more than one object."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from heap.base.errors import InputError
from heap.benchmark.metrics.detection import Detections
from heap.benchmark.protocols.base import Protocol, Row
from heap.benchmark.protocols.discovery import AveragePrecision
from heap.benchmark.protocols.outcome import Outcome
from heap.benchmark.results.estimate import OfDetections, OfSums, Values


@dataclass(frozen=True, kw_only=True)
class Several(AveragePrecision):
    """Recall at IoU 0.5 with a few boxes, where an image has objects of different classes.

    All other images are left out. `recall_K` is the share of the objects of all images that are
    found when an image keeps its K boxes of best score; a box finds one object at most, matched as
    in COCO, whatever its class. `boxes_K` is the mean number of boxes that were kept. AP and AP50
    are COCO's on the same images, with one class for all objects and at most 100 boxes in an image.
    Difficult and truncated objects count, crowds do not.
    """

    shape: Literal["box", "mask"] = "box"
    classes: int = 2
    """An image is scored if its objects have at least so many."""
    boxes: tuple[int, ...] = (1, 2, 3, 5, 10)
    """Numbers of boxes that an image keeps."""
    task = "several"

    def measure(self, outcome: Outcome, split: str) -> Row:
        """The matches of an image, see `Detections`; none if it is not scored."""
        names = self.require(outcome.truth, "box_classes")
        crowds = outcome.truth.crowds
        there = {name for name, crowd in zip(names, crowds, strict=True) if not crowd}
        if len(there) < self.classes:
            return {"scored": False}
        return {"scored": True, **super().measure(outcome, split)}

    def finish(self, rows: Sequence[Row]) -> tuple[list[Row], dict[str, Any]]:
        """Count the images that are scored.

        Raises:
            InputError: if there is none.
        """
        scored = sum(row["scored"] for row in rows)
        if not scored:
            raise InputError(
                f"protocol {self.name} has nothing to score: not one of {len(rows)} images has "
                f"objects of {self.classes} classes"
            )
        return list(rows), {"scored": scored}

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """AP, AP50, and for every number of boxes the recall and the mean number that was kept."""
        states = [Detections.from_row(row["objects"]) for row in rows if row["scored"]]
        return [OfDetections(states, ("AP", "AP50")), _kept(states, self.boxes)]


def _kept(states: Sequence[Detections], most: Sequence[int]) -> OfSums:
    """Recall and number of boxes where at most so many are kept of each image."""
    sums = [
        [
            *(np.count_nonzero(state.matched[:count, 0]) for count in most),
            *(min(count, len(state.scores)) for count in most),
            state.truths[0],
            1,
        ]
        for state in states
    ]
    names = tuple(f"{name}_{count}" for name in ("recall", "boxes") for count in most)
    # Recall is a share of the objects, the number of boxes a mean over the images.
    by = np.repeat([-2, -1], len(most))
    states_of = np.array(sums, dtype=np.float64)
    return OfSums(names, states_of, lambda total: (total[:-2] / total[by]).tolist())


SEVERAL: tuple[Protocol, ...] = (Several(name="several-v1"),)
"""The protocols of several objects."""

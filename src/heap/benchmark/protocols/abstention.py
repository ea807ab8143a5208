"""Abstention: reporting nothing in images without an object, and still the objects of others.

Both protocols keep the best score of every image. So the values at any threshold below which a
method would report nothing can be computed from the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from heap.base.errors import InputError
from heap.benchmark.metrics.boxes import box_iou
from heap.benchmark.metrics.detection import update_detection
from heap.benchmark.protocols.base import Protocol, Row
from heap.benchmark.protocols.outcome import Outcome
from heap.benchmark.results.estimate import Means, OfSums, Values


@dataclass(frozen=True, kw_only=True)
class FalseAlarms(Protocol):
    """Share of images without an object in which a method reports at least one.

    Of all images together, and of each split. An image that has an object is refused.
    """

    task = "discovery"

    def measure(self, outcome: Outcome, split: str) -> Row:
        """Whether anything is reported, how much, and the best score.

        Raises:
            InputError: if the image has an object.
        """
        if there := len(outcome.truth.boxes):
            raise InputError(
                f"protocol {self.name} is for images without an object, and one has {there}; "
                "give it such images as the data set empty"
            )
        scores = outcome.scores.tolist()
        best = max(scores, default=None)
        return {"split": split, "alarm": bool(scores), "objects": len(scores), "best": best}

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """`alarms`, and `alarms_SPLIT` for every split."""
        splits = sorted({row["split"] for row in rows})
        here = np.array([[row["split"] == split for split in splits] for row in rows], dtype=bool)
        alarm = np.array([[row["alarm"]] for row in rows], dtype=bool)
        pairs = np.stack([here, here & alarm], axis=-1).astype(np.float64)
        names = tuple(f"alarms_{split}" for split in splits)
        whole = Means(("alarms",), alarm.astype(np.float64))
        return [whole, OfSums(names, pairs.reshape(len(rows), -1), _shares)]


@dataclass(frozen=True, kw_only=True)
class Recall(Protocol):
    """Share of the annotated objects that are reported: IoU of their boxes of at least 0.5.

    All objects count but for crowds, those of all images together. What is reported is matched one
    to one, best score first, as COCO does it, at most 100 in an image. Boxes are those of patches,
    unrefined.
    """

    task = "discovery"

    def measure(self, outcome: Outcome, split: str) -> Row:
        """Numbers of objects that there are, were reported and were found, and the best score."""
        crowds, scores = outcome.truth.crowds, outcome.scores
        iou = box_iou(outcome.boxes, outcome.truth.boxes, crowds)
        detections = update_detection(scores, iou, crowds)
        return {
            "truths": int(detections.truths[0]),
            "objects": len(scores),
            "found": int(np.count_nonzero(detections.matched[:, 0])),
            "best": max(scores.tolist(), default=None),
        }

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """Recall."""
        states = np.array([[row["truths"], row["found"]] for row in rows], dtype=np.float64)
        return [OfSums(("recall",), states, _shares)]


def _shares(total: Float64[np.ndarray, " state"]) -> list[float]:
    """Shares of parts in their wholes, from pairs of both; nan where the whole is 0."""
    return [part / whole if whole else float("nan") for whole, part in total.reshape(-1, 2)]


ABSTENTION: tuple[Protocol, ...] = (
    FalseAlarms(name="false-alarms-v1"),
    Recall(name="recall-v1"),
)
"""Protocols of abstention."""

"""COCO's average precision and recall of a single class, and odAP.

Detections are matched to the truth once, image by image, as COCO does it: best score first, each
takes the object with the highest IoU that is still free, the last of equal ones, at each of ten
levels of IoU. A detection that gets no object and lies in a crowd is ignored: neither right nor
wrong. All sizes of objects count, and at most the 100 best detections of an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

LEVELS = np.linspace(0.5, 0.95, 10)
"""A detection has found an object if their IoU is at least this."""
RECALLS = np.linspace(0, 1, 101)
"""Recalls at which the precision is read off."""
MOST = 100
"""Detections of an image that count."""

_BITS = 1 << np.arange(len(LEVELS))


@dataclass(frozen=True)
class Detections:
    """Detections in one or more images, matched to the truth; best first within an image.

    States add up: `a + b` are the images of `a`, then those of `b`. Where scores tie between
    images, the earlier image comes first, so add them in a fixed order.
    """

    scores: Float64[np.ndarray, " detection"]
    matched: Bool[np.ndarray, "detection 10"]
    """Whether it found an object, at each of `LEVELS`."""
    ignored: Bool[np.ndarray, "detection 10"]
    """Whether it found none but lies in a crowd; never where `matched`."""
    rank: Int64[np.ndarray, " detection"]
    """Place in its image by score, from 0."""
    image: Int64[np.ndarray, " detection"]
    """Its image, an index into `truths`."""
    truths: Int64[np.ndarray, " image"]
    """Objects to be found in each image, without crowds."""

    @classmethod
    def joined(cls, states: Sequence["Detections"]) -> "Detections":
        """Join at least one state, without copying for every sum in between."""
        starts = np.cumsum([0, *(len(state.truths) for state in states[:-1])])
        return cls(
            scores=np.concatenate([state.scores for state in states]),
            matched=np.concatenate([state.matched for state in states]),
            ignored=np.concatenate([state.ignored for state in states]),
            rank=np.concatenate([state.rank for state in states]),
            image=np.concatenate(
                [state.image + start for state, start in zip(states, starts, strict=True)]
            ),
            truths=np.concatenate([state.truths for state in states]),
        )

    def to_row(self) -> dict[str, Any]:
        """Encode the state of one image as plain JSON, exactly.

        `found` has the score of each detection, and as bits, the lowest for the lowest level, at
        which levels it is matched and at which ignored.
        """
        (truths,) = self.truths.tolist()
        bits = zip(self.scores, self.matched @ _BITS, self.ignored @ _BITS, strict=True)
        rows = [[float(score), int(right), int(crowd)] for score, right, crowd in bits]
        return {"truths": truths, "found": rows}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Detections":
        """Decode the state that `to_row` wrote."""
        rows = row["found"]
        bits = np.array([levels for _, *levels in rows], dtype=np.int64).reshape(-1, 2, 1)
        levels = bits & _BITS > 0
        scores = np.array([score for score, *_ in rows], dtype=np.float64)
        return cls._of_image(scores, levels[:, 0], levels[:, 1], row["truths"])

    @classmethod
    def _of_image(
        cls,
        scores: Float64[np.ndarray, " detection"],
        matched: Bool[np.ndarray, "detection 10"],
        ignored: Bool[np.ndarray, "detection 10"],
        truths: int,
    ) -> "Detections":
        rank, image = np.arange(len(scores)), np.zeros(len(scores), dtype=np.int64)
        return cls(scores, matched, ignored, rank, image, np.array([truths]))


def update_detection(
    scores: Float[np.ndarray, " detection"],
    iou: Float64[np.ndarray, "detection truth"],
    crowds: Bool[np.ndarray, " truth"],
) -> Detections:
    """State of one image.

    Args:
        scores: Scores of the detections, in any order; the first of equal ones comes first.
        iou: IoU by `box_iou` or `mask_iou_matrix`, which were given the `crowds`.
        crowds: Whether an annotation is around a crowd, and so no object.
    """
    best = np.argsort(-scores, kind="stable")[:MOST]
    matched = _match(iou[best][:, ~crowds])
    inside = iou[best][:, crowds].max(axis=1, initial=0)
    ignored = ~matched & (inside[:, None] >= LEVELS)
    truths = int(np.count_nonzero(~crowds))
    return Detections._of_image(scores[best].astype(np.float64), matched, ignored, truths)


def mask_iou_matrix(
    masks: Bool[np.ndarray, "detection height width"],
    truth: Bool[np.ndarray, "truth height width"],
    crowds: Bool[np.ndarray, " truth"] | None = None,
) -> Float64[np.ndarray, "detection truth"]:
    """Intersection over union of each mask with each of the truth; 0 where both are empty.

    As in COCO, with one of the `crowds` of the truth it is the share of the mask that lies in it.
    """
    # Eight pixels to a byte: counting bits is many times faster than comparing pixels.
    predicted, there = _pack(masks), _pack(truth)
    shared = np.zeros((len(masks), len(truth)))
    for column, true in enumerate(there):
        shared[:, column] = np.bitwise_count(predicted & true).sum(axis=1)
    area = np.bitwise_count(predicted).sum(axis=1)[:, None]
    union = area + np.bitwise_count(there).sum(axis=1) - shared
    if crowds is not None:
        union[:, crowds] = area
    iou: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


class Matches:
    """Detections sorted for good, so that AP and AR of any weighting of the images are quick."""

    NAMES = ("AP", "AP50", "AP75", "AR1", "AR10", "AR100")
    """AP over all of `LEVELS`, at 0.5 and at 0.75; AR with the 1, 10 and 100 best of an image."""

    def __init__(self, states: Sequence[Detections]) -> None:
        joined = Detections.joined(states)
        order = np.argsort(-joined.scores, kind="stable")
        self._right = np.ascontiguousarray(joined.matched[order].T)
        self._wrong = np.ascontiguousarray(~(joined.matched | joined.ignored)[order].T)
        self._rank, self._image = joined.rank[order], joined.image[order]
        self._truths = joined.truths

    def compute(self, weights: Float64[np.ndarray, " image"] | None = None) -> list[float]:
        """The values in the order of `NAMES`, in [0, 1]; nan where there is no object at all.

        `weights` are the times that a bootstrap drew each image; without them each counts once.
        """
        counts = np.ones(len(self._truths)) if weights is None else weights
        total = float(counts @ self._truths)
        if not total:
            return [float("nan")] * len(self.NAMES)
        weight = counts[self._image]
        precision = self._precision(weight, total)
        recall = [
            float((self._right[:, first] @ weight[first]).mean() / total)
            for first in (self._rank < most for most in (1, 10, MOST))
        ]
        return [float(precision.mean()), float(precision[0]), float(precision[5]), *recall]

    def _precision(
        self, weight: Float64[np.ndarray, " detection"], total: float
    ) -> Float64[np.ndarray, " 10"]:
        """Average precision at each of `LEVELS`."""
        right = np.cumsum(self._right * weight, axis=1)
        wrong = np.cumsum(self._wrong * weight, axis=1)
        # As in COCO, a tiny number avoids 0 / 0.
        precision = _make_falling(right / (right + wrong + np.spacing(1)))
        at = [np.searchsorted(recall, RECALLS) for recall in right / total]
        read = [np.append(row, 0)[where] for row, where in zip(precision, at, strict=True)]
        mean: np.ndarray = np.array(read).mean(axis=1)
        return mean


def average_precision(detections: Detections) -> float:
    """Average precision of one image at an IoU of 0.5, in [0, 1].

    All its detections, at most 100, against all its objects; the area under the precision, made
    to fall, over the recall. Where there is no object, 1 if nothing was found either, else 0.
    """
    (truths,) = detections.truths.tolist()
    right = detections.matched[~detections.ignored[:, 0], 0]
    if not truths:
        return float(not right.size)
    precision = _make_falling(np.cumsum(right)[None] / np.arange(1, right.size + 1))[0]
    return float(precision[right].sum() / truths)


def _match(iou: Float64[np.ndarray, "detection object"]) -> Bool[np.ndarray, "detection 10"]:
    """Whether each detection, best first, gets an object at each of `LEVELS`."""
    matched = np.zeros((len(iou), len(LEVELS)), dtype=bool)
    if not iou.size:
        return matched
    free = np.ones((len(LEVELS), iou.shape[1]), dtype=bool)
    level = np.arange(len(LEVELS))
    # From the last object to the first: argmax takes the first of equal ones, COCO the last.
    for row, overlaps in enumerate(iou[:, ::-1]):
        best = np.where(free, overlaps, -1).argmax(axis=1)
        matched[row] = free[level, best] & (overlaps[best] >= LEVELS)
        free[level[matched[row]], best[matched[row]]] = False
    return matched


def _make_falling(precision: Float64[np.ndarray, "row point"]) -> Float64[np.ndarray, "row point"]:
    """Return the highest precision at each recall or a higher one."""
    highest: np.ndarray = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return highest


def _pack(masks: Bool[np.ndarray, "mask height width"]) -> np.ndarray:
    """Pack eight pixels to a byte, one row for each mask."""
    return np.packbits(masks.reshape(len(masks), prod(masks.shape[1:])), axis=1)

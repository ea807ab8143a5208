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
"""Where the precision is read off."""
MOST = 100
"""Detections of an image that count."""

_BITS = 1 << np.arange(len(LEVELS))


@dataclass(frozen=True)
class Detections:
    """What was found in one or more images, matched to the truth; best first within an image.

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
        """The sum of at least one state, without copying again for each."""
        starts = np.cumsum([0, *(len(each.truths) for each in states[:-1])])
        return cls(
            scores=np.concatenate([each.scores for each in states]),
            matched=np.concatenate([each.matched for each in states]),
            ignored=np.concatenate([each.ignored for each in states]),
            rank=np.concatenate([each.rank for each in states]),
            image=np.concatenate(
                [each.image + start for each, start in zip(states, starts, strict=True)]
            ),
            truths=np.concatenate([each.truths for each in states]),
        )

    def __add__(self, other: "Detections") -> "Detections":
        return self.joined([self, other])

    def to_row(self) -> dict[str, Any]:
        """The state of one image as plain JSON, exactly.

        `found` has the score of each detection, and as bits, the lowest for the lowest level, at
        which levels it is matched and at which ignored.
        """
        (truths,) = self.truths.tolist()
        bits = zip(self.scores, self.matched @ _BITS, self.ignored @ _BITS, strict=True)
        found = [[float(score), int(right), int(crowd)] for score, right, crowd in bits]
        return {"truths": truths, "found": found}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Detections":
        """The state that `to_row` wrote."""
        bits = np.array([each[1:] for each in row["found"]], dtype=np.int64).reshape(-1, 2, 1)
        levels = bits & _BITS > 0
        scores = np.array([each[0] for each in row["found"]], dtype=np.float64)
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
        scores: of the detections, in any order; the first of equal ones comes first.
        iou: as `box_iou` and `mask_iou_matrix` give it, told which of the truth are crowds.
        crowds: these of the truth are no objects.
    """
    best = np.argsort(-scores, kind="stable")[:MOST]
    matched = _matched(iou[best][:, ~crowds])
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
    found, there = _packed(masks), _packed(truth)
    shared = np.zeros((len(masks), len(truth)))
    for column, each in enumerate(there):
        shared[:, column] = np.bitwise_count(found & each).sum(axis=1)
    area = np.bitwise_count(found).sum(axis=1)[:, None]
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
        found = Detections.joined(states)
        order = np.argsort(-found.scores, kind="stable")
        self._right = np.ascontiguousarray(found.matched[order].T)
        self._wrong = np.ascontiguousarray(~(found.matched | found.ignored)[order].T)
        self._rank, self._image = found.rank[order], found.image[order]
        self._truths = found.truths

    def compute(self, weights: Float64[np.ndarray, " image"] | None = None) -> list[float]:
        """The values in the order of `NAMES`, in [0, 1]; nan where there is no object at all.

        A bootstrap gives as `weights` how often it drew each image; without, each counts once.
        """
        counts = np.ones(len(self._truths)) if weights is None else weights
        total = float(counts @ self._truths)
        if not total:
            return [float("nan")] * len(self.NAMES)
        each = counts[self._image]
        precision = self._precision(each, total)
        recall = [
            float((self._right[:, first] @ each[first]).mean() / total)
            for first in (self._rank < most for most in (1, 10, MOST))
        ]
        return [float(precision.mean()), float(precision[0]), float(precision[5]), *recall]

    def _precision(
        self, each: Float64[np.ndarray, " detection"], total: float
    ) -> Float64[np.ndarray, " 10"]:
        """Average precision at each of `LEVELS`."""
        right = np.cumsum(self._right * each, axis=1)
        wrong = np.cumsum(self._wrong * each, axis=1)
        # As in COCO, a tiny step keeps 0 / 0 out.
        precision = _falling(right / (right + wrong + np.spacing(1)))
        at = [np.searchsorted(recall, RECALLS) for recall in right / total]
        read = [np.append(row, 0)[where] for row, where in zip(precision, at, strict=True)]
        mean: np.ndarray = np.array(read).mean(axis=1)
        return mean


def compute_detection(state: Detections) -> dict[str, float]:
    """COCO's values, named as in `Matches.NAMES`; nan where there is no object at all."""
    return dict(zip(Matches.NAMES, Matches([state]).compute(), strict=True))


def update_odap(found: Detections) -> Float64[np.ndarray, " 2"]:
    """State of one image: its average precision at an IoU of 0.5, and images, 1.

    All its detections, at most 100, against all its objects; the area under the precision, made
    to fall, over the recall. Where there is no object, 1 if nothing was found either, else 0.
    """
    (truths,) = found.truths.tolist()
    right = found.matched[~found.ignored[:, 0], 0]
    if not truths:
        return np.array([float(not right.size), 1.0])
    precision = _falling(np.cumsum(right)[None] / np.arange(1, right.size + 1))[0]
    return np.array([precision[right].sum() / truths, 1.0])


def compute_odap(state: Float64[np.ndarray, " 2"]) -> float:
    """Mean over the images, at least one, of their average precisions; in [0, 1]."""
    total, images = state.tolist()
    return float(total / images)


def _matched(iou: Float64[np.ndarray, "detection object"]) -> Bool[np.ndarray, "detection 10"]:
    """Whether each detection, best first, gets an object at each of `LEVELS`."""
    matched = np.zeros((len(iou), len(LEVELS)), dtype=bool)
    if not iou.size:
        return matched
    free = np.ones((len(LEVELS), iou.shape[1]), dtype=bool)
    level = np.arange(len(LEVELS))
    # From the last object to the first: argmax takes the first of equal ones, COCO the last.
    for row, each in enumerate(iou[:, ::-1]):
        best = np.where(free, each, -1).argmax(axis=1)
        matched[row] = free[level, best] & (each[best] >= LEVELS)
        free[level[matched[row]], best[matched[row]]] = False
    return matched


def _falling(precision: Float64[np.ndarray, "row point"]) -> Float64[np.ndarray, "row point"]:
    """The highest precision at this recall or a higher one."""
    highest: np.ndarray = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return highest


def _packed(masks: Bool[np.ndarray, "mask height width"]) -> np.ndarray:
    """Eight pixels to a byte, one row for each mask."""
    return np.packbits(masks.reshape(len(masks), prod(masks.shape[1:])), axis=1)

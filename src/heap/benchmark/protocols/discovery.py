"""Object discovery: whether a box hits an object (CorLoc), and how good all boxes are (AP, AR)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from heap.benchmark.metrics.boxes import any_hits, box_iou, cells_box
from heap.benchmark.metrics.detection import (
    Detections,
    average_precision,
    mask_iou_matrix,
    update_detection,
)
from heap.benchmark.protocols.base import Protocol, Row
from heap.benchmark.protocols.outcome import GUIDED, Outcome
from heap.benchmark.results.estimate import Means, OfDetections, Values
from heap.methods.finding import THRESHOLD
from heap.model.objects import largest_piece, tight_box

Localiser = Literal["largest part", "part of the seed", "first objects"]


@dataclass(frozen=True, kw_only=True)
class CorLoc(Protocol):
    """Share of the images in which a box hits any object: IoU of at least 0.5.

    All objects count, difficult and truncated ones too; crowds do not. Boxes are those of patches,
    unrefined, clipped to the image. An image in which nothing is found is a miss.
    """

    box: Localiser
    """Part of the grid of patches that the box is around."""
    boxes: int = 1
    """Most boxes of an image."""
    task = "discovery"
    variants = ("box",)
    words = Protocol.words | {
        ("box", "largest part"): "of the largest 4-connected part of the saliency above 0.5",
        ("box", "part of the seed"): (
            "of the 4-connected part of the saliency above 0.5 that holds the most salient patch, "
            "the largest of such parts if several patches are equally salient"
        ),
        (
            "box",
            "first objects",
        ): "of the objects that the method reports, best score first, then of its further guesses",
        ("boxes", 1): "1 for each image",
        ("boxes", 10): "at most 10 for each image; a hit by any of them counts",
    }

    def measure(self, outcome: Outcome, split: str) -> Row:
        """Whether it is a hit."""
        truth = outcome.truth.boxes[~outcome.truth.crowds]
        return {"corloc": any_hits(self._boxes(outcome), truth)}

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """CorLoc."""
        return [means(rows, ("corloc",))]

    def _boxes(self, outcome: Outcome) -> Float64[np.ndarray, "box 4"]:
        if self.box == "first objects":
            return outcome.candidate_boxes[: self.boxes]
        if self.box == "part of the seed":
            part = outcome.seed_part
        else:
            part = largest_piece(outcome.finding.saliency > THRESHOLD)
        return cells_box(part, outcome.geometry)[None] if part.any() else np.zeros((0, 4))


@dataclass(frozen=True, kw_only=True)
class AveragePrecision(Protocol):
    """COCO's AP and AR with one class for all objects, by score, at most 100 in an image.

    IoU from 0.50 to 0.95 in steps of 0.05, 101 recall points; what lies on a crowd is not counted.
    Objects are those that the method reports, and its further guesses.
    """

    shape: Literal["box", "mask"]
    """Shape that is compared with the annotation."""
    refine: Literal["none", "guided"] = "none"
    """Way from patches to masks."""
    task = "discovery"
    variants = ("shape", "refine")
    words = Protocol.words | {
        ("shape", "box"): "box (tight around the mask in pixels)",
        ("refine", "none"): "none (interpolated bilinearly)",
        ("refine", "guided"): GUIDED,
    }

    def measure(self, outcome: Outcome, split: str) -> Row:
        """The matches of an image, see `Detections`."""
        plain = self.refine == "none"
        masks = outcome.candidate_masks if plain else outcome.candidate_guided_masks
        seen = masks.any(axis=(1, 2))
        masks, scores = masks[seen], outcome.candidate_scores[seen]
        crowds = outcome.truth.crowds
        if self.shape == "mask":
            there = self.require(outcome.truth, "instances")
            iou = mask_iou_matrix(masks, there, crowds)
        else:
            boxes = np.array([tight_box(mask) for mask in masks]).reshape(-1, 4)
            iou = box_iou(boxes, outcome.truth.boxes, crowds)
        return {"objects": update_detection(scores, iou, crowds).to_row()}

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """AP, AP50, AP75, AR1, AR10 and AR100."""
        return [OfDetections([Detections.from_row(row["objects"]) for row in rows])]


@dataclass(frozen=True, kw_only=True)
class OdAP(Protocol):
    """Object-discovery AP (LOST): average precision at IoU 0.5 of an image, mean over the images.

    All objects count but for crowds; boxes are those of patches.
    """

    task = "discovery"

    def measure(self, outcome: Outcome, split: str) -> Row:
        """The average precision of an image."""
        crowds = outcome.truth.crowds
        iou = box_iou(outcome.candidate_boxes, outcome.truth.boxes, crowds)
        return {"odap": average_precision(update_detection(outcome.candidate_scores, iou, crowds))}

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """OdAP."""
        return [means(rows, ("odap",))]


def means(rows: Sequence[Row], names: tuple[str, ...]) -> Means:
    """Means of some scores of the rows."""
    return Means(names, np.array([[float(row[name]) for name in names] for row in rows]))


DISCOVERY: tuple[Protocol, ...] = (
    CorLoc(name="corloc-found-v1", box="largest part"),
    CorLoc(name="corloc-lost-v1", box="part of the seed"),
    CorLoc(name="corloc-any-v1", box="first objects", boxes=10),
    AveragePrecision(name="ap-box-v1", shape="box"),
    AveragePrecision(name="ap-box-v1-guided", shape="box", refine="guided"),
    AveragePrecision(name="ap-mask-v1", shape="mask"),
    AveragePrecision(name="ap-mask-v1-guided", shape="mask", refine="guided"),
    OdAP(name="odap-v1"),
)
"""The protocols of object discovery."""

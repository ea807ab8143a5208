"""Separation: whether things of different classes in one image are told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from heap.base.errors import InputError
from heap.benchmark.metrics.boxes import box_iou
from heap.benchmark.metrics.detection import mask_iou_matrix
from heap.benchmark.metrics.regions import regions_at
from heap.benchmark.metrics.separation import (
    NOWHERE,
    majority_regions,
    own_pixels,
    pair_iou,
    pairs_of,
    purity,
)
from heap.benchmark.protocols.base import Protocol, Row
from heap.benchmark.protocols.outcome import Outcome
from heap.benchmark.results.estimate import OfSums, Values
from heap.benchmark.truth import Truth
from heap.model.objects import tight_box


@dataclass(frozen=True, kw_only=True)
class Separation(Protocol):
    """Share of the pairs of things of different classes that are an object each.

    A pair is any two annotated objects of one image that differ in class and cover at least 1 % of
    it each, crowds left out; images without a pair are left out. It is a hit if two different
    objects of the run have an IoU of at least 0.5 with them, one with each: of masks where the data
    have masks, else of boxes. Further guesses do not count.

    Beside it: the share of the images whose pairs are all hits; the share of the pairs of which
    most pixels are in two different regions; the purity of regions by class, which is the share of
    the pixels of things that are of the commonest class of their region, as a mean over the images,
    and the same if an image were one region, as a floor. Pixels in things of several classes do not
    count. A method without regions gives its objects as regions, the rest of the image being one
    more. Pairs and purity gain by many objects and regions, so their mean numbers are given.
    """

    iou: float = 0.5
    """Least IoU at which an object is that of a thing."""
    smallest: float = 0.01
    """Share of the image that each thing of a pair covers at least."""
    masks: str = "of the patches, interpolated bilinearly"
    regions: str = "a pixel has the region of the patch that it lies in"
    task = "several"

    def measure(self, outcome: Outcome, split: str) -> Row:
        """Pairs with the IoU that two objects reach, and the regions of the image."""
        classes = self.require(outcome.truth, "box_classes")
        places = _places(outcome.truth, outcome.size)
        large = places.mean(axis=(1, 2)) >= self.smallest
        large &= ~outcome.truth.crowds
        names = tuple(name for name, kept in zip(classes, large, strict=True) if kept)
        pairs = pairs_of(names)
        if not pairs:
            return {"scored": False}
        iou = _iou(outcome)[:, large]
        labels = _regions(outcome)
        regions, own = regions_at(labels, outcome.size), own_pixels(places[large], names)
        most = majority_regions(regions, own)
        pure, floor = purity(regions, own, names)
        return {
            "scored": True,
            "pairs": [self._pair(names, pair, pair_iou(iou, *pair), most) for pair in pairs],
            "objects": len(outcome.finding.objects),
            "regions": len(np.unique(labels)),
            "purity": None if np.isnan(pure) else pure,
            "purity_floor": None if np.isnan(floor) else floor,
        }

    def _pair(
        self,
        names: tuple[str, ...],
        pair: tuple[int, int],
        iou: float,
        most: Int64[np.ndarray, " thing"],
    ) -> Row:
        first, second = (int(most[thing]) for thing in pair)
        return {
            "classes": [names[thing] for thing in pair],
            "iou": iou,
            # Not computed from the row later: the IoU is rounded there.
            "hit": iou >= self.iou,
            "apart": NOWHERE not in (first, second) and first != second,
        }

    def finish(self, rows: Sequence[Row]) -> tuple[list[Row], dict[str, Any]]:
        """Count the images that are scored, and their pairs.

        Raises:
            InputError: if there is none.
        """
        scored = [row for row in rows if row["scored"]]
        if not scored:
            raise InputError(
                f"protocol {self.name} has nothing to score: not one of {len(rows)} images has two "
                f"objects of different classes that cover {self.smallest:.0%} of it each"
            )
        return list(rows), {
            "scored": len(scored),
            "pairs": sum(len(row["pairs"]) for row in scored),
        }

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """Shares of the pairs and of the images, purity, and numbers of objects and regions."""
        states = [_sums(row) for row in rows if row["scored"]]
        return [OfSums(_NAMES, np.stack(states), _compute)]


_NAMES = (
    "pairs_separated",
    "images_separated",
    "pairs_in_two_regions",
    "purity",
    "purity_floor",
    "objects",
    "regions",
)


def _sums(row: Row) -> Float64[np.ndarray, " state"]:
    pairs, pure = row["pairs"], row["purity"] is not None
    hits = sum(pair["hit"] for pair in pairs)
    states = [
        hits,
        hits == len(pairs),
        sum(pair["apart"] for pair in pairs),
        row["purity"] if pure else 0,
        row["purity_floor"] if pure else 0,
        row["objects"],
        row["regions"],
        # Denominators of the others: pairs, images, images with a purity.
        len(pairs),
        1,
        pure,
    ]
    return np.array(states, dtype=np.float64)


def _compute(total: Float64[np.ndarray, " state"]) -> list[float]:
    pairs, images, pure = total[len(_NAMES) :]
    of = np.array([pairs, images, pairs, pure, pure, images, images])
    shares = np.divide(total[: len(_NAMES)], of, out=np.full(len(of), np.nan), where=of > 0)
    return list(map(float, shares))


def _places(truth: Truth, size: tuple[int, int]) -> Bool[np.ndarray, "thing height width"]:
    """Pixels of each annotated object: those of its mask, or whose centres are in its box."""
    if truth.instances is not None:
        return truth.instances
    down, across = (np.arange(side) + 0.5 for side in size)
    x1, y1, x2, y2 = truth.boxes.T[:, :, None]
    rows, cols = (y1 <= down) & (down < y2), (x1 <= across) & (across < x2)
    return np.asarray(rows[:, :, None] & cols[:, None])


def _iou(outcome: Outcome) -> Float64[np.ndarray, "object thing"]:
    """IoU of the objects of the run, without further guesses, with all that is annotated."""
    masks = outcome.masks[outcome.masks.any(axis=(1, 2))]
    if outcome.truth.instances is not None:
        return mask_iou_matrix(masks, outcome.truth.instances)
    boxes = np.array([tight_box(mask) for mask in masks]).reshape(-1, 4)
    return box_iou(boxes, outcome.truth.boxes)


def _regions(outcome: Outcome) -> Int64[np.ndarray, "grid_h grid_w"]:
    """Region of each patch: as the method reports, or its objects, with 0 for the rest."""
    if outcome.finding.label_map is not None:
        return outcome.finding.label_map
    parts = np.zeros(outcome.finding.saliency.shape, dtype=np.int64)
    for number, part in enumerate(outcome.finding.objects, 1):
        parts[part.cells] = number
    return parts


SEPARATION: tuple[Protocol, ...] = (Separation(name="separation-v1"),)
"""The protocols of separation."""

"""Saliency detection: how well the foreground of an image is separated from its background."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64
from PIL import Image

from heap.benchmark.metrics.curves import (
    THRESHOLDS,
    compute_max_f_sod,
    compute_max_f_tokencut,
    curves_from_row,
    curves_to_row,
    f_measure,
    max_f_found,
    update_curves,
)
from heap.benchmark.metrics.masks import mask_iou, mean_absolute_error, pixel_accuracy
from heap.benchmark.metrics.structure import s_measure
from heap.benchmark.protocols.base import Protocol, Row
from heap.benchmark.protocols.discovery import means
from heap.benchmark.protocols.outcome import GUIDED, SOLVER, Outcome, Refine
from heap.benchmark.results.estimate import OfSums, Values
from heap.masks.bilateral_solver import solve_mask
from heap.methods.finding import THRESHOLD
from heap.model.objects import largest_piece

Maps = tuple[Float32[np.ndarray, "height width"], Bool[np.ndarray, "height width"]]
"""Soft map for the F-measures, and the mask."""


@dataclass(frozen=True, kw_only=True)
class _Saliency(Protocol):
    refine: Refine = "none"
    """Way from the saliency of patches to that of pixels."""
    truth: str = "masks above 127, all classes of class maps, all instances; void is not scored"
    """Definition of foreground."""
    task = "saliency"
    variants = ("select", "refine")
    words = Protocol.words | {("refine", "guided"): GUIDED, ("refine", "solver"): SOLVER}

    def _parts(self, outcome: Outcome) -> tuple[np.ndarray, np.ndarray | None]:
        void = outcome.truth.void
        return self.require(outcome.truth, "foreground"), None if void is None else ~void


@dataclass(frozen=True, kw_only=True)
class FoundSaliency(_Saliency):
    """Saliency as FOUND scores it: accuracy, IoU, and the mean of each image's own best F.

    Unrefined, the saliency is interpolated bilinearly to the original; the mask is what is above
    0.5. F is of the soft map, but of the mask after the solver and for a single part. Beta is 0.3,
    so beta squared is 0.09, and each image has the one of 255 thresholds that suits it best: F is
    more than that of the other protocols, and not to be compared with it.
    """

    select: Literal["multi", "single"] = "multi"
    """Part of the foreground that is kept."""
    words = _Saliency.words | {
        ("select", "multi"): "multi (all of the foreground)",
        ("select", "single"): "single (the largest 4-connected part of the mask in pixels)",
    }

    def measure(self, outcome: Outcome, split: str) -> Row:
        """IoU, accuracy and best F of an image."""
        truth, valid = self._parts(outcome)
        soft, mask = self._maps(outcome)
        if self.select == "single":
            mask = largest_piece(mask)
            soft = mask.astype(np.float32)
        return {
            "iou": mask_iou(mask, truth, valid),
            "accuracy": pixel_accuracy(mask, truth, valid),
            "max_f_found": max_f_found(soft, truth, valid),
        }

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """Means over the images."""
        return [means(rows, ("iou", "accuracy", "max_f_found"))]

    def _maps(self, outcome: Outcome) -> Maps:
        if self.refine == "guided":
            return outcome.guided, outcome.guided > THRESHOLD
        if self.refine == "none":
            return outcome.smooth, outcome.smooth > THRESHOLD
        mask = outcome.solved[1]
        return mask.astype(np.float32), mask


@dataclass(frozen=True, kw_only=True)
class TokenCutSaliency(_Saliency):
    """Saliency as TokenCut scores it: the part of the seed, and F averaged before its maximum.

    That is the 4-connected part of the saliency above 0.5 that holds the most salient patch, the
    largest of such parts if several patches are equally salient; unrefined, each patch is a block
    of pixels. F, with beta squared 0.3, is of the mask if unrefined, else of the soft map. It is
    averaged over the images at each of 255 thresholds, and the best threshold taken for the whole
    set; the interval is that of F there.
    """

    def measure(self, outcome: Outcome, split: str) -> Row:
        """IoU and accuracy, and F at every threshold."""
        truth, valid = self._parts(outcome)
        soft, mask = self._maps(outcome)
        return {
            "iou": mask_iou(mask, truth, valid),
            "accuracy": pixel_accuracy(mask, truth, valid),
            "curves": curves_to_row(update_curves(soft, truth, valid)),
        }

    def finish(self, rows: Sequence[Row]) -> tuple[list[Row], dict[str, Any]]:
        """Keep F at the best threshold only."""
        curves = np.array([curves_from_row(row["curves"]) for row in rows])
        best = compute_max_f_tokencut(curves.sum(axis=0))[1]
        kept = [
            {"iou": row["iou"], "accuracy": row["accuracy"], "max_f_tokencut": float(f)}
            for row, f in zip(rows, curves[:, 3, best], strict=True)
        ]
        return kept, _threshold(best)

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """IoU, accuracy, and the F of the best threshold."""
        return [means(rows, ("iou", "accuracy", "max_f_tokencut"))]

    def _maps(self, outcome: Outcome) -> Maps:
        part = outcome.seed_part
        if self.refine == "guided":
            soft = outcome.guide(part.astype(np.float32))
            return soft, soft > THRESHOLD
        size = outcome.edges.width, outcome.edges.height
        mask = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.NEAREST))
        if self.refine == "solver":
            return solve_mask(outcome.edges.bilateral_grid, mask)
        return mask.astype(np.float32), mask


@dataclass(frozen=True, kw_only=True)
class SodSaliency(_Saliency):
    """The classic evaluation of salient object detection: F of the set, MAE and S-measure.

    All are of the soft map; unrefined, it is the saliency interpolated bilinearly. Precision and
    recall are averaged over the images at each of 255 thresholds, F with beta squared 0.3 is made
    of these averages, and the best threshold taken for the whole set; the interval is that of F
    there. The S-measure has alpha 0.5, and counts void pixels as background.
    """

    def measure(self, outcome: Outcome, split: str) -> Row:
        """MAE and S-measure, and precision and recall at every threshold."""
        truth, valid = self._parts(outcome)
        soft = self._map(outcome)
        return {
            "mae": mean_absolute_error(soft, truth, valid),
            "s_measure": s_measure(soft, truth, valid),
            "curves": curves_to_row(update_curves(soft, truth, valid)),
        }

    def finish(self, rows: Sequence[Row]) -> tuple[list[Row], dict[str, Any]]:
        """Keep precision and recall at the best threshold only."""
        curves = np.array([curves_from_row(row["curves"]) for row in rows])
        best = compute_max_f_sod(curves.sum(axis=0))[1]
        kept = [
            {"mae": row["mae"], "s_measure": row["s_measure"], "precision": p, "recall": r}
            for row, (p, r) in zip(rows, curves[:, 1:3, best].tolist(), strict=True)
        ]
        return kept, _threshold(best)

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """MAE, S-measure, and the F of the best threshold."""
        states = np.array([[row["precision"], row["recall"], 1.0] for row in rows])
        return [means(rows, ("mae", "s_measure")), OfSums(("max_f_sod",), states, _f_of_means)]

    def _map(self, outcome: Outcome) -> Float32[np.ndarray, "height width"]:
        maps = {"none": lambda: outcome.smooth, "guided": lambda: outcome.guided}
        return outcome.solved[0] if self.refine == "solver" else maps[self.refine]()


def _threshold(index: int) -> dict[str, Any]:
    return {"threshold": round(float(THRESHOLDS[index]), 4)}


def _f_of_means(total: Float64[np.ndarray, " state"]) -> list[float]:
    precision, recall = total[:1] / total[2], total[1:2] / total[2]
    return [float(f_measure(precision, recall)[0])]


def _variant_name(base: str, *variants: str) -> str:
    return "-".join([base, *(variant for variant in variants if variant not in ("none", "multi"))])


SALIENCY: tuple[Protocol, ...] = (
    *(
        FoundSaliency(
            name=_variant_name("saliency-found-v1", select, refine), select=select, refine=refine
        )
        for select in ("multi", "single")
        for refine in ("none", "guided", "solver")
    ),
    *(
        kind(name=_variant_name(base, refine), refine=refine)
        for base, kind in (
            ("saliency-tokencut-v1", TokenCutSaliency),
            ("saliency-sod-v1", SodSaliency),
        )
        for refine in ("none", "guided", "solver")
    ),
)
"""The protocols of saliency detection."""

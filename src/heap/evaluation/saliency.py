"""Scores of the saliency map of one image, without refinement."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from heap.evaluation.metrics.boxes import (
    corloc_hit,
    largest_part_box,
    mask_boxes,
)
from heap.evaluation.metrics.masks import mask_iou, pixel_accuracy
from heap.images.geometry import Geometry
from heap.refine import resize


@dataclass(frozen=True)
class SaliencyScores:
    """How well a saliency map finds the foreground of its image."""

    iou: float
    """Of the map, upsampled bilinearly and cut at the threshold; in [0, 1]."""
    accuracy: float
    """Share of the pixels of that mask that are right."""
    corloc: bool
    """Whether the box of the largest 4-connected part, on the grid, hits one of the truth."""


def score_map(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    truth: Bool[np.ndarray, "height width"],
    threshold: float = 0.5,
) -> SaliencyScores:
    """Score a soft map on the patch grid; `truth` has the size of the upright original."""
    height, width = truth.shape
    rows, cols = saliency.shape
    mask = resize(saliency, (height, width)) > threshold
    box = largest_part_box(saliency, Geometry(width, height, cols, rows, 1), threshold)
    return SaliencyScores(
        iou=mask_iou(mask, truth),
        accuracy=pixel_accuracy(mask, truth),
        corloc=corloc_hit(box, mask_boxes(truth)),
    )

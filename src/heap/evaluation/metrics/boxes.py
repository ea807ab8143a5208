"""Scores of one image: masks, boxes, and the interval of a mean over images.

An empty result is a miss and has IoU 0; where the truth is empty too, there is nothing to find and
the IoU is 1. Boxes are xyxy pixel edges, x2 and y2 exclusive.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.ndimage import find_objects, label

from heap.images.geometry import Geometry

HIT = 0.5
"""IoU from which on a box has found an object."""
RESAMPLES = 10_000


def mask_iou(
    prediction: Bool[np.ndarray, "height width"], truth: Bool[np.ndarray, "height width"]
) -> float:
    """Intersection over union, in [0, 1]."""
    union = np.count_nonzero(prediction | truth)
    return np.count_nonzero(prediction & truth) / union if union else 1.0


def pixel_accuracy(
    prediction: Bool[np.ndarray, "height width"], truth: Bool[np.ndarray, "height width"]
) -> float:
    """Share of the pixels, foreground or background, that are right."""
    return np.count_nonzero(prediction == truth) / truth.size


def box_iou(
    a: Float[np.ndarray, "object 4"], b: Float[np.ndarray, "truth 4"]
) -> Float64[np.ndarray, "object truth"]:
    """Intersection over union of each box of `a` with each of `b`.

    In float64 throughout: a hit is `>= 0.5`, and a value rounded to float32 could be one falsely.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    union = _areas(a)[:, None] + _areas(b)[None] - shared
    iou: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def mask_boxes(mask: Bool[np.ndarray, "height width"]) -> Float64[np.ndarray, "part 4"]:
    """Tight boxes of the 4-connected parts, in the order in which the rows are read."""
    numbered, _ = label(mask)
    corners = [
        (cols.start, rows.start, cols.stop, rows.stop) for rows, cols in find_objects(numbered)
    ]
    return np.array(corners, dtype=np.float64).reshape(-1, 4)


def largest_part_box(
    saliency: Float[np.ndarray, "grid_h grid_w"], geometry: Geometry, threshold: float = 0.5
) -> Float64[np.ndarray, " 4"] | None:
    """Box, in the original, of the largest 4-connected part of the saliency above `threshold`.

    The first part in reading order wins a tie. None if nothing is above the threshold.
    """
    numbered, count = label(saliency > threshold)
    if not count:
        return None
    rows, cols = find_objects(numbered)[np.bincount(numbered.ravel())[1:].argmax()]
    return geometry.box_of_cells(rows.start, cols.start, rows.stop, cols.stop)


def corloc_hit(box: Float[np.ndarray, " 4"] | None, truth: Float[np.ndarray, "truth 4"]) -> bool:
    """Whether the box has an IoU of at least 0.5 with any box of the truth."""
    return box is not None and bool((box_iou(box[None], truth) >= HIT).any())


def centre_box(width: int, height: int) -> Float64[np.ndarray, " 4"]:
    """The middle three fifths of each side: what a method has to beat that sees nothing."""
    return np.array([0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height])


def bootstrap_interval(values: Float[np.ndarray, " image"], seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean over images, at least one, from 10,000 resamples.

    For two methods on the same images give the differences: that makes it the paired bootstrap.
    """
    generator, size = np.random.default_rng(seed), (RESAMPLES // 100, len(values))
    # A hundredth at a time: all resamples at once would not fit in memory for large sets.
    means = [values[generator.integers(len(values), size=size)].mean(axis=1) for _ in range(100)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _areas(boxes: Float64[np.ndarray, "box 4"]) -> Float64[np.ndarray, " box"]:
    areas: np.ndarray = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=-1)
    return areas

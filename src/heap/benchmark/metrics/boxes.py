"""Boxes of masks, and their scores against the truth.

Boxes are xyxy pixel edges, x2 and y2 exclusive.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.ndimage import find_objects, label

from heap.images.geometry import Geometry
from heap.model.objects import tight_box

HIT = 0.5
"""Least IoU at which a box has found an object."""


def box_iou(
    a: Float[np.ndarray, "object 4"],
    b: Float[np.ndarray, "truth 4"],
    crowds: Bool[np.ndarray, " truth"] | None = None,
) -> Float64[np.ndarray, "object truth"]:
    """Intersection over union of each box of `a` with each of `b`.

    As in COCO, with one of the `crowds` of `b` it is the share of the box of `a` that lies in it.
    In float64 throughout: a hit is `>= 0.5`, and a value rounded to float32 could be one falsely.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    union = _areas(a)[:, None] + _areas(b)[None] - shared
    if crowds is not None:
        union[:, crowds] = _areas(a)[:, None]
    iou: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def mask_boxes(mask: Bool[np.ndarray, "height width"]) -> Float64[np.ndarray, "part 4"]:
    """Tight boxes of the 4-connected parts, in the order in which the rows are read."""
    numbered, _ = label(mask)
    corners = [
        (cols.start, rows.start, cols.stop, rows.stop) for rows, cols in find_objects(numbered)
    ]
    return np.array(corners, dtype=np.float64).reshape(-1, 4)


def cells_box(
    cells: Bool[np.ndarray, "grid_h grid_w"], geometry: Geometry
) -> Float64[np.ndarray, " 4"]:
    """Tight box, in the original, of some cells of the grid, at least one."""
    left, top, right, bottom = map(int, tight_box(cells))
    return geometry.box_of_cells(top, left, bottom, right)


def any_hits(boxes: Float[np.ndarray, "object 4"], truth: Float[np.ndarray, "truth 4"]) -> bool:
    """Whether any of the boxes has an IoU of at least 0.5 with any of the truth: CorLoc.

    Crowds are no truth. An image in which nothing is found, or nothing is to be found, is a miss.
    The published evaluation that others copied from LOST adds 1e-7 to heights and unions; that is
    left out here, so that an IoU of exactly 0.5 is a hit.
    """
    return bool((box_iou(boxes, truth) >= HIT).any())


def centre_box(width: int, height: int) -> Float64[np.ndarray, " 4"]:
    """Middle three fifths of each side: the baseline of a method that sees nothing."""
    return np.array([0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height])


def _areas(boxes: Float64[np.ndarray, "box 4"]) -> Float64[np.ndarray, " box"]:
    areas: np.ndarray = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=-1)
    return areas

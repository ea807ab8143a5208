"""Further guesses where the foreground alone does not tell objects apart: pieces of a merge tree.

Patches are merged into ever larger pieces, always the two neighbours whose union varies least
(Ward), until the image is one piece. A piece that stays as it is for long, because everything
around it is unlike it, may be an object: a part of the foreground, several parts together, or
something that is not salient at all. The tree, its score and what is kept are our choice.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from heap.model.merge_tree import members, merge_tree

LARGEST = 0.5
"""Share of the image above which a piece is no guess."""
ALIKE = 0.6
"""A piece whose box has a higher IoU with one of a better score is the same guess again."""
SALIENCY_POWER = 0.3
"""How much the mean saliency of a piece counts in its score."""
BEST_SCORE = 0.1
"""Guesses have lower scores than objects: below this."""

Cells = Bool[np.ndarray, "grid_h grid_w"]


@dataclass(frozen=True)
class Proposal:
    """A piece of the image that may be an object."""

    cells: Cells
    score: float
    """In (0, 0.1)."""


def propose(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    patches: Float32[np.ndarray, "patch dim"],
    known: list[Cells],
    most: int,
    min_area: float,
) -> list[Proposal]:
    """At most so many guesses beside the objects that are `known`, best first; they may nest.

    With d the Ward distance at which a piece is merged with a neighbour, between directions of
    features, and s its mean saliency, the score grows with s^0.3 d.
    """
    if most < 1 or saliency.size < 2:
        return []
    tree = _Tree.of(saliency, patches)
    strength = tree.saliency**SALIENCY_POWER * tree.until
    # What nothing sets apart from its surroundings is no guess.
    allowed = (tree.area >= min_area) & (tree.area <= LARGEST) & (strength > 0)
    for cells in known:
        allowed &= _box_iou(tree.boxes, _box(cells)) < ALIKE
    found: list[Proposal] = []
    while len(found) < most and allowed.any():
        piece = int(np.where(allowed, strength, -1).argmax())
        score = BEST_SCORE * strength[piece] / (1 + strength[piece])
        found.append(Proposal(tree.cells(piece, saliency.shape), float(score)))
        allowed &= _box_iou(tree.boxes, tree.boxes[piece]) < ALIKE
    return found


@dataclass(frozen=True)
class _Tree:
    """Pieces by number: first the single patches, then each union of two earlier ones."""

    children: Int64[np.ndarray, "union 2"]
    until: Float64[np.ndarray, " piece"]
    """Ward distance at which the piece is merged."""
    area: Float64[np.ndarray, " piece"]
    """Share of the image."""
    saliency: Float64[np.ndarray, " piece"]
    boxes: Int64[np.ndarray, "piece 4"]
    """First row and column, and those after the last."""

    @classmethod
    def of(
        cls,
        saliency: Float32[np.ndarray, "grid_h grid_w"],
        patches: Float32[np.ndarray, "patch dim"],
    ) -> "_Tree":
        """The tree of one image; a union needs a common edge of two patches."""
        rows, cols = saliency.shape
        children, distance = merge_tree(patches, np.ones((rows, cols), dtype=bool))
        count = rows * cols
        until = np.full(count + len(children), distance.max())
        area = np.concatenate([np.full(count, 1 / count), np.zeros(len(children))])
        mass = np.concatenate([saliency.ravel() / count, np.zeros(len(children))])
        row, col = np.divmod(np.arange(count), cols)
        boxes = np.zeros((len(until), 4), dtype=np.int64)
        boxes[:count] = np.stack([row, col, row + 1, col + 1], axis=1)
        for union, (pair, at) in enumerate(zip(children, distance, strict=True), start=count):
            until[pair] = at
            area[union], mass[union] = area[pair].sum(), mass[pair].sum()
            boxes[union, :2], boxes[union, 2:] = boxes[pair, :2].min(0), boxes[pair, 2:].max(0)
        return cls(children, until, area, mass / area, boxes)

    def cells(self, piece: int, shape: tuple[int, ...]) -> Cells:
        """The patches of a piece."""
        cells = np.zeros(shape, dtype=bool)
        cells.ravel()[members(piece, self.children, cells.size)] = True
        return cells


def _box(cells: Cells) -> Int64[np.ndarray, " 4"]:
    rows, cols = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    return np.array([rows[0], cols[0], rows[-1] + 1, cols[-1] + 1])


def _box_iou(
    boxes: Int64[np.ndarray, "piece 4"], box: Int64[np.ndarray, " 4"]
) -> Float64[np.ndarray, " piece"]:
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    overlap = sides.clip(0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return np.asarray(overlap / (areas - overlap))

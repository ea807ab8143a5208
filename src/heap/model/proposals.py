"""Proposals of objects where the foreground alone does not tell them apart: pieces of a merge tree.

Patches are merged into ever larger pieces, always the two neighbours whose union varies least
(Ward), until the image is one piece. A piece that is merged late, because everything around it is
unlike it, may be an object: a part of the foreground, several parts together, or something that is
not salient at all. The tree, its score and the choice among pieces are our own.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from heap.model.merge_tree import Cells, members, merge_tree, to_cells

LARGEST = 0.5
"""Share of the image above which a piece is no proposal: the last merges are mostly background."""
ALIKE = 0.6
"""IoU of boxes above which a piece repeats an object, or a proposal of a better score."""
SALIENCY_POWER = 0.3
"""Exponent of the mean saliency in the score. With 0.3 recall with ten boxes was better than with
0.5 on composed pictures (docs/quality.md, "Several objects")."""
BEST_SCORE = 0.1
"""Scores of proposals are below this, so that objects, which are surer, come first."""


@dataclass(frozen=True)
class Proposal:
    """Piece of the image that may be an object."""

    cells: Cells
    score: float
    """Score in (0, 0.1)."""


def propose(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    patches: Float32[np.ndarray, "patch dim"],
    known: list[Cells],
    max_count: int,
    min_area: float,
) -> list[Proposal]:
    """Propose up to `max_count` pieces beside the objects `known`, best first; they may nest.

    With d the Ward distance at which a piece is merged with a neighbour, between directions of
    features, and s its mean saliency, the score grows with s^0.3 d.
    """
    if max_count < 1 or saliency.size < 2:  # a single patch has no tree
        return []
    tree = _Tree.build(saliency, patches)
    strength = tree.saliency**SALIENCY_POWER * tree.merged_at
    # A strength of 0 means that nothing sets the piece apart from its surroundings.
    allowed = (tree.area >= min_area) & (tree.area <= LARGEST) & (strength > 0)
    for cells in known:
        allowed &= _box_iou(tree.boxes, _box(cells)) < ALIKE
    proposals: list[Proposal] = []
    # Greedy suppression of what overlaps, as detectors do (NMS).
    while len(proposals) < max_count and allowed.any():
        piece = int(np.where(allowed, strength, -1).argmax())
        # x / (1 + x) keeps the order and is below 1, for strength has no upper bound.
        score = BEST_SCORE * strength[piece] / (1 + strength[piece])
        cells = to_cells(members(piece, tree.children, saliency.size), saliency.shape)
        proposals.append(Proposal(cells, float(score)))
        allowed &= _box_iou(tree.boxes, tree.boxes[piece]) < ALIKE
    return proposals


@dataclass(frozen=True)
class _Tree:
    """Merge tree of an image, and properties of its pieces by their number.

    The first numbers are the single patches, then comes each union of two earlier pieces.
    """

    children: Int64[np.ndarray, "union 2"]
    merged_at: Float64[np.ndarray, " piece"]
    """Ward distance at which the piece is merged with another."""
    area: Float64[np.ndarray, " piece"]
    """Share of the image."""
    saliency: Float64[np.ndarray, " piece"]
    """Mean over its patches."""
    boxes: Int64[np.ndarray, "piece 4"]
    """First row and column, and the row and column after the last."""

    @classmethod
    def build(
        cls,
        saliency: Float32[np.ndarray, "grid_h grid_w"],
        patches: Float32[np.ndarray, "patch dim"],
    ) -> "_Tree":
        """Build the tree of one image over all its patches."""
        rows, cols = saliency.shape
        children, distance = merge_tree(patches, np.ones((rows, cols), dtype=bool))
        count = rows * cols
        # The last piece, all of the image, is never merged; it gets the largest distance.
        merged_at = np.full(count + len(children), distance.max())
        area = np.concatenate([np.full(count, 1 / count), np.zeros(len(children))])
        # Saliency times area, which adds up in a union; divided by the area in the end.
        mass = np.concatenate([saliency.ravel() / count, np.zeros(len(children))])
        row, col = np.divmod(np.arange(count), cols)
        boxes = np.zeros((len(merged_at), 4), dtype=np.int64)
        boxes[:count] = np.stack([row, col, row + 1, col + 1], axis=1)
        # In the order of merging, so that both pieces of a pair are known already.
        for union, (pair, height) in enumerate(zip(children, distance, strict=True), start=count):
            merged_at[pair] = height
            area[union], mass[union] = area[pair].sum(), mass[pair].sum()
            boxes[union, :2], boxes[union, 2:] = boxes[pair, :2].min(0), boxes[pair, 2:].max(0)
        return cls(children, merged_at, area, mass / area, boxes)


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

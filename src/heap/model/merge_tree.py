"""Merge trees: neighbouring patches joined into ever larger pieces, until one is left (Ward)."""

import random
import sys
import warnings

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

Cells = Bool[np.ndarray, "grid_h grid_w"]


def merge_tree(
    features: Float32[np.ndarray, "place dim"], cells: Bool[np.ndarray, "grid_h grid_w"]
) -> tuple[Int64[np.ndarray, "union 2"], Float64[np.ndarray, " union"]]:
    """Pairs in the order in which they are merged, and the Ward distance of each.

    Each step merges the two neighbours whose union varies least, compared by the directions of
    their features. Pieces are numbered: first the places that are set in `cells`, row by row, then
    each union. Only pieces that share an edge of two patches are merged.
    """
    # Imported here: scikit-learn takes half a second, which is saved where a model is only loaded.
    # Importing it draws from Python's generator, whose numbers are the program's.
    before = random.getstate() if "sklearn.cluster" not in sys.modules else None
    from sklearn.cluster import ward_tree
    from sklearn.feature_extraction.image import grid_to_graph

    if before is not None:
        random.setstate(before)

    # Clipped, for a feature of zeros has no direction; it stays zero.
    directions = features / np.linalg.norm(features, axis=1, keepdims=True).clip(1e-12)
    with warnings.catch_warnings():
        # ward_tree warns where `cells` are in several parts, which it then joins in the end.
        warnings.simplefilter("ignore", UserWarning)
        children, _, _, _, distance = ward_tree(
            directions,
            connectivity=grid_to_graph(*cells.shape, mask=cells),
            return_distance=True,
        )
    return children, distance


def to_cells(places: Int64[np.ndarray, " member"], shape: tuple[int, ...]) -> Cells:
    """Grid of `shape` (rows, columns) in which the cells of these numbers are set, row by row."""
    cells = np.zeros(shape, dtype=bool)
    cells.ravel()[places] = True
    return cells


def members(
    piece: int, children: Int64[np.ndarray, "union 2"], places: int
) -> Int64[np.ndarray, " member"]:
    """Numbers of the places that make up a piece of a tree over `places` places."""
    # A stack instead of recursion: a tree may be as deep as it has patches.
    single, waiting = [], [piece]
    while waiting:
        number = waiting.pop()
        if number < places:
            single.append(number)
        else:
            waiting.extend(children[number - places].tolist())
    return np.array(single)

"""Merge trees: neighbouring patches joined into ever larger pieces, up to one (Ward)."""

import warnings

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64


def merge_tree(
    features: Float32[np.ndarray, "place dim"], cells: Bool[np.ndarray, "grid_h grid_w"]
) -> tuple[Int64[np.ndarray, "union 2"], Float64[np.ndarray, " union"]]:
    """Pairs in the order in which they are merged, and the Ward distance of each.

    Merged are always the two neighbours whose union varies least, between directions of features.
    Pieces are numbered: first the places that are set in `cells`, row by row, then each union. A
    union needs a common edge of two patches.
    """
    # scikit-learn takes half a second to import, which not everybody who loads a model needs.
    from sklearn.cluster import ward_tree
    from sklearn.feature_extraction.image import grid_to_graph

    directions = features / np.linalg.norm(features, axis=1, keepdims=True).clip(1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        children, _, _, _, distance = ward_tree(
            directions,
            connectivity=grid_to_graph(*cells.shape, mask=cells),
            return_distance=True,
        )
    return children, distance


def members(
    piece: int, children: Int64[np.ndarray, "union 2"], places: int
) -> Int64[np.ndarray, " member"]:
    """Places that a piece of a tree over so many `places` is made of."""
    single, waiting = [], [piece]
    while waiting:
        number = waiting.pop()
        if number < places:
            single.append(number)
        else:
            waiting.extend(children[number - places].tolist())
    return np.array(single)

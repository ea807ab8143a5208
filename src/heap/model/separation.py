"""Parts of the foreground taken apart where they show several things.

Patches of a part are merged into ever larger pieces, always the two neighbours whose union varies
least (Ward). Read from the end, this hierarchy of merges cuts a part in two, and each half again,
as long as the halves are unlike. They are compared after the discriminant, because by other
features all foreground is alike, and head and body of one animal are not. Tree and criterion are
our choice.
"""

import numpy as np
from jaxtyping import Float32, Int64

from heap.model.merge_tree import Cells, members, merge_tree, to_cells


def separate(
    cells: Cells, features: Float32[np.ndarray, "patch dim"], alike: float, smallest: int
) -> list[Cells]:
    """Cut a connected part until the two halves of each piece are one thing.

    Two halves are one thing if the cosine of their mean features is above `alike`, or one of them
    has fewer than `smallest` patches. Every piece is connected, for halves of the tree are.
    """
    # From here on places are numbered within the part, as the merge tree numbers them.
    places = np.flatnonzero(cells)
    if len(places) < 2 * smallest:
        return [cells]
    features = features[places]
    children = merge_tree(features, cells)[0]
    pieces, waiting = [], [len(places) + len(children) - 1]  # the last union is the whole part
    while waiting:
        piece = waiting.pop()
        halves, cosine = _halves(piece, children, features, smallest)
        if halves and cosine <= alike:
            waiting.extend(halves)
        else:
            pieces.append(members(piece, children, len(places)))
    return [to_cells(places[piece], cells.shape) for piece in pieces]


def likeness(cells: Cells, features: Float32[np.ndarray, "patch dim"], smallest: int) -> float:
    """Cosine of the halves that a connected part is cut into first; 1 if one is too small."""
    places = np.flatnonzero(cells)
    if len(places) < 2 * smallest:
        return 1.0
    features = features[places]
    children = merge_tree(features, cells)[0]
    return _halves(len(places) + len(children) - 1, children, features, smallest)[1]


def _halves(
    piece: int,
    children: Int64[np.ndarray, "union 2"],
    features: Float32[np.ndarray, "place dim"],
    smallest: int,
) -> tuple[list[int], float]:
    """Halves of a piece, and the cosine of their mean features.

    None, and 1, for a single patch or if a half has fewer than `smallest` patches.
    """
    if piece < len(features):
        return [], 1.0
    halves = children[piece - len(features)].tolist()
    parts = [members(half, children, len(features)) for half in halves]
    return (halves, _cosine(features, parts)) if min(map(len, parts)) >= smallest else ([], 1.0)


def _cosine(
    features: Float32[np.ndarray, "place dim"], parts: list[Int64[np.ndarray, " _member"]]
) -> float:
    """Cosine of the mean features of two pieces."""
    first, second = (features[piece].mean(axis=0) for piece in parts)
    # A mean of zeros has no direction; its cosine is 0, so that it counts as unlike.
    return float(first @ second / max(np.linalg.norm(first) * np.linalg.norm(second), 1e-12))

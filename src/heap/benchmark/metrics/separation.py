"""Separation of two things in one image, by the objects of a run and by its regions."""

from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64, Int64

from heap.benchmark.metrics.regions import RegionMap

NOWHERE = -1
"""Region of a thing without a pixel of its own."""

Places = Bool[np.ndarray, "thing height width"]


def pairs_of(classes: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pairs of numbers of two things of different classes, in reading order."""
    both = combinations(range(len(classes)), 2)
    return [(first, second) for first, second in both if classes[first] != classes[second]]


def pair_iou(iou: Float64[np.ndarray, "object thing"], first: int, second: int) -> float:
    """Largest IoU that two different objects reach together, one with each of two things."""
    least = np.minimum(iou[:, first, None], iou[None, :, second])
    np.fill_diagonal(least, 0)
    return float(least.max(initial=0))


def own_pixels(places: Places, classes: tuple[str, ...]) -> Places:
    """Pixels of each thing that lie in no thing of another class."""
    shared = np.zeros(places.shape[1:], dtype=np.int64)
    for name in set(classes):
        shared += places[[other == name for other in classes]].any(axis=0)
    own: np.ndarray = places & (shared == 1)
    return own


def majority_regions(regions: RegionMap, own: Places) -> Int64[np.ndarray, " thing"]:
    """Region that most pixels of each thing are in, of equals the first; else `NOWHERE`."""
    labels = [regions[pixels] for pixels in own]
    most = [np.bincount(part).argmax() if part.size else NOWHERE for part in labels]
    return np.array(most, dtype=np.int64)


def purity(regions: RegionMap, own: Places, classes: tuple[str, ...]) -> tuple[float, float]:
    """Share of the pixels of things that are of the commonest class of their region.

    Beside it the same of a single region that covers everything. Pixels of the background do not
    count, and several things of a class count a pixel once; nan where no pixel is left.
    """
    counts = np.array(
        [
            np.bincount(
                regions[own[[other == name for other in classes]].any(axis=0)],
                minlength=int(regions.max()) + 1,
            )
            for name in sorted(set(classes))
        ]
    )
    total = counts.sum()
    if not total:
        return np.nan, np.nan
    return float(counts.max(axis=0).sum() / total), float(counts.sum(axis=1).max() / total)

"""Categories of vectors: which belong together, what is typical of them, and what fits nowhere.

Directions are clustered by k-means; vectors far from the middle of their cluster are kept apart. It
is no part of the published method, and neither is how many clusters are made where nobody says it.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from heap.store.columns import unit_vectors

CRITERION = (
    "the largest number whose mean silhouette, by cosine, of at most 2000 objects, is at least "
    "0.9 of the best"
)
"""How many clusters there are where nobody says it. Two often have the best by a hair, and merging
is easier than taking apart."""
_AS_GOOD = 0.9
_SCORED = 2000
_MANY = 20_000
"""Vectors above which k-means sees a part of them at each step."""
_MOST = 96
"""Clusters that are tried at most; by hand there may be more."""
_GROWTH = 1.4
"""From one number that is tried to the next."""
_NEAR = 0.5
"""A vector is kept apart if its similarity is less than this part of its cluster's median."""

Vectors = Float32[np.ndarray, "vector dim"]


@dataclass(frozen=True)
class Clusters:
    """The middles of clusters, and how near to them a member is."""

    prototypes: Float32[np.ndarray, "cluster dim"]
    """Mean directions, of length 1."""
    least: Float32[np.ndarray, " cluster"]
    """Lowest similarity of a member."""

    def assign(
        self, vectors: Vectors
    ) -> tuple[Int64[np.ndarray, " vector"], Float32[np.ndarray, " vector"]]:
        """The cluster of each vector, or -1 where it is too far away, and its similarity."""
        similarity = unit_vectors(vectors) @ self.prototypes.T
        nearest = similarity.argmax(axis=1)
        best = similarity.max(axis=1)
        return np.where(best >= self.least[nearest], nearest, -1), best.astype(np.float32)


def cluster(vectors: Vectors, count: int | None, seed: int = 0) -> Clusters:
    """Cluster at least two vectors; without a `count` it is chosen by `CRITERION`.

    The same vectors in the same order give the same clusters.
    """
    found = unit_vectors(vectors)
    if count is not None:
        return _clusters(found, _k_means(found, count, seed))
    tried = {each: _k_means(found, each, seed) for each in numbers_tried(len(found))}
    silhouette = {each: _silhouette(found, labels, seed) for each, labels in tried.items()}
    best = max(silhouette.values())
    as_good = min(best, _AS_GOOD * best)  # below zero too, the best is as good as itself
    return _clusters(found, tried[max(each for each in tried if silhouette[each] >= as_good)])


def numbers_tried(vectors: int) -> list[int]:
    """Numbers of clusters from 2 up, ever wider apart, of which at least three fit in each."""
    most = min(_MOST, max(2, vectors // 3))
    found = [2]
    while (following := max(found[-1] + 1, round(found[-1] * _GROWTH))) <= most:
        found.append(following)
    return found


def matched(new: Int64[np.ndarray, " vector"], old: Int64[np.ndarray, " vector"]) -> dict[int, int]:
    """For new clusters the old ones that they go on: one to one, most members in common.

    Numbers below 0 are no clusters. New ones that share nothing with any old one left are missing.
    """
    from scipy.optimize import linear_sum_assignment

    both = (new >= 0) & (old >= 0)
    news, olds = np.unique(new[both]), np.unique(old[both])
    common = np.zeros((len(news), len(olds)), dtype=np.int64)
    at = np.searchsorted(news, new[both]), np.searchsorted(olds, old[both])
    np.add.at(common, at, 1)
    rows, cols = linear_sum_assignment(-common)
    pairs = zip(rows, cols, strict=True)
    return {int(news[row]): int(olds[col]) for row, col in pairs if common[row, col]}


def _k_means(found: Vectors, count: int, seed: int) -> Int64[np.ndarray, " vector"]:
    # scikit-learn takes half a second to import, and a run is opened far more often than sorted.
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    kind = MiniBatchKMeans if len(found) > _MANY else KMeans
    with warnings.catch_warnings():
        # Of vectors that are equal there can be fewer clusters than were asked for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = kind(min(count, len(found)), n_init=4, random_state=seed).fit(found)
    return np.asarray(fitted.labels_, dtype=np.int64)


def _silhouette(found: Vectors, labels: Int64[np.ndarray, " vector"], seed: int) -> float:
    if not 2 <= len(np.unique(labels)) < len(found):
        return -1.0
    sample = np.random.default_rng(seed).permutation(len(found))[:_SCORED]
    if not 2 <= len(np.unique(labels[sample])) < len(sample):
        return -1.0
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(found[sample], labels[sample], metric="cosine"))


def _clusters(found: Vectors, labels: Int64[np.ndarray, " vector"]) -> Clusters:
    members = [labels == number for number in np.unique(labels)]
    # Of equally large ones the first: numbers go by size, so that the first is worth a look first.
    members.sort(key=lambda each: -int(np.count_nonzero(each)))
    prototypes = unit_vectors(np.stack([found[each].mean(axis=0) for each in members]))
    pairs = zip(members, prototypes, strict=True)
    least = [_least(found, each, prototype) for each, prototype in pairs]
    return Clusters(prototypes, np.array(least, dtype=np.float32))


def _least(
    found: Vectors, members: Bool[np.ndarray, " vector"], prototype: Float32[np.ndarray, " dim"]
) -> float:
    return _NEAR * max(float(np.median(found[members] @ prototype)), 0)

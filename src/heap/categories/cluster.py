"""Clustering of vectors: which belong together, what is typical, and what fits into no cluster.

Unit vectors are clustered by k-means; vectors far from the middle of their cluster are kept apart.
This is no part of the published method, and neither is the choice of the number of clusters.
"""

import warnings
from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float32, Int64

from heap.base.forked import compute_after_fork
from heap.store.columns import unit_vectors

CRITERION = (
    "the largest number whose mean silhouette, by cosine, of at most 2000 objects, is at least "
    "0.9 of the best; where the best is below 0.25, among the numbers that leave no more than "
    "sqrt(2 n) of the n objects to a category on average"
)
"""Rule for the number of clusters where nobody says it. Two clusters often have the best silhouette
by a hair; more are made, because people merge categories more easily than they split them. A best
silhouette below 0.25 says that there is no substantial structure (Kaufman and Rousseeuw, "Finding
groups in data", 1990), so that it is no reason for few and large clusters: of 545 objects in photos
of animals it would make two."""
_WEAK = 0.25
"""Best silhouette below which it says nothing of how many clusters there are."""
_AS_GOOD = 0.9
"""Share of the best silhouette that is as good."""
_SCORED = 2000
"""Vectors that a silhouette is computed of: its cost grows with their square."""
_MANY = 20_000
"""Vectors above which each step of k-means sees only a part of them, to be quick."""
_MOST = 96
"""Clusters that are tried at most; by hand there may be more."""
_GROWTH = 1.4
"""Factor from one number of clusters that is tried to the next."""
_NEAR = 0.5
"""Share of a cluster's median similarity below which a vector is kept apart."""

Vectors = Float32[np.ndarray, "vector dim"]


@dataclass(frozen=True)
class Clusters:
    """Middles of clusters, and the similarity that members have at least."""

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
    unit = unit_vectors(vectors)
    if count is not None:
        return _to_clusters(unit, _label_by_k_means(unit, count, seed))
    tried = {number: _label_by_k_means(unit, number, seed) for number in numbers_to_try(len(unit))}
    silhouette = {number: _mean_silhouette(unit, labels, seed) for number, labels in tried.items()}
    if max(silhouette.values()) < _WEAK:
        small = [number for number in tried if len(unit) / number <= sqrt(2 * len(unit))]
        silhouette = {number: silhouette[number] for number in small or [max(tried)]}
    best = max(silhouette.values())
    # A negative best times 0.9 is more than itself, and no number would be good enough.
    as_good = min(best, _AS_GOOD * best)
    return _to_clusters(unit, tried[max(n for n, value in silhouette.items() if value >= as_good)])


def numbers_to_try(vectors: int) -> list[int]:
    """Numbers of clusters to try, from 2 up, ever wider apart, for three vectors or more each."""
    most = min(_MOST, max(2, vectors // 3))
    numbers = [2]
    while (following := max(numbers[-1] + 1, round(numbers[-1] * _GROWTH))) <= most:
        numbers.append(following)
    return numbers


def match_clusters(
    new: Int64[np.ndarray, " vector"], old: Int64[np.ndarray, " vector"]
) -> dict[int, int]:
    """Match new clusters one to one with the old ones that they have most members in common with.

    Numbers below 0 are no clusters. New ones with no common member are left out.
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


def _label_by_k_means(unit: Vectors, count: int, seed: int) -> Int64[np.ndarray, " vector"]:
    # scikit-learn takes half a second to import, and a run is opened far more often than sorted.
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    compute_after_fork()
    kind = MiniBatchKMeans if len(unit) > _MANY else KMeans
    with warnings.catch_warnings():
        # It warns of equal vectors, which can make fewer clusters than were asked for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = kind(min(count, len(unit)), n_init=4, random_state=seed).fit(unit)
    return np.asarray(fitted.labels_, dtype=np.int64)


def _mean_silhouette(unit: Vectors, labels: Int64[np.ndarray, " vector"], seed: int) -> float:
    if not 2 <= len(np.unique(labels)) < len(unit):
        return -1.0
    sample = np.random.default_rng(seed).permutation(len(unit))[:_SCORED]
    if not 2 <= len(np.unique(labels[sample])) < len(sample):
        return -1.0
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(unit[sample], labels[sample], metric="cosine"))


def _to_clusters(unit: Vectors, labels: Int64[np.ndarray, " vector"]) -> Clusters:
    members = [labels == number for number in np.unique(labels)]
    # Numbers go by size, so that people see the largest first; the sort is stable, so that equally
    # large ones stay in order.
    members.sort(key=lambda chosen: -int(np.count_nonzero(chosen)))
    prototypes = unit_vectors(np.stack([unit[chosen].mean(axis=0) for chosen in members]))
    pairs = zip(members, prototypes, strict=True)
    least = [least_similarity(unit[chosen] @ prototype) for chosen, prototype in pairs]
    return Clusters(prototypes, np.array(least, dtype=np.float32))


def least_similarity(similarity: Float32[np.ndarray, " member"]) -> float:
    """Similarity below which an object is kept apart from a category with these members."""
    return _NEAR * max(float(np.median(similarity)), 0)

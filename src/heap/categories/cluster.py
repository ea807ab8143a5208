"""Clustering of vectors: which belong together, what is typical, and what fits into no cluster.

Unit vectors are clustered by cuts of a merge tree; vectors far from the middle of their cluster are
kept apart. This is no part of the published method, and neither is the choice of the number of
clusters.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float32, Int64

from heap.categories.tree import LEAVES, Vectors, tree_of
from heap.store.columns import unit_vectors

CRITERION = (
    "the largest number whose mean silhouette, by cosine, of at most 2000 objects, is at least "
    "0.9 of the best; where the best is below 0.25, the root of the number of objects"
)
"""Rule for the number of clusters where nobody says it. Two clusters often have the best silhouette
by a hair; more are made, because people merge categories more easily than they split them. A best
silhouette below 0.25 says that there is no substantial structure (Kaufman and Rousseeuw, "Finding
groups in data", 1990), so that it is no reason for any number: then there are as many categories to
look through as objects in each of them."""
_WEAK = 0.25
"""Best silhouette below which it says nothing of how many clusters there are."""
_AS_GOOD = 0.9
"""Share of the best silhouette that is as good."""
_SCORED = 2000
"""Vectors that a silhouette is computed of: its cost grows with their square."""
_MOST = 96
"""Clusters that are tried at most; by hand there may be more."""
_GROWTH = 1.4
"""Factor from one number of clusters that is tried to the next."""
_NEAR = 0.5
"""Share of a cluster's median similarity below which a vector is kept apart."""


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
    # A cut of a tree that has not many more leaves would be nothing but these leaves.
    tree = tree_of(vectors, max(LEAVES, 2 * (count or 0)), seed)
    if count is not None:
        return _to_clusters(unit, tree.cut(count))
    cuts = {number: tree.cut(number) for number in numbers_to_try(len(unit))}
    silhouettes = _mean_silhouettes(unit, cuts, seed)
    best = max(silhouettes.values())
    if best < _WEAK:
        return _to_clusters(unit, tree.cut(min(_MOST, max(2, round(sqrt(len(unit)))))))
    good = (number for number, value in silhouettes.items() if value >= _AS_GOOD * best)
    return _to_clusters(unit, cuts[max(good)])


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


def _mean_silhouettes(
    unit: Vectors, cuts: dict[int, Int64[np.ndarray, " vector"]], seed: int
) -> dict[int, float]:
    """Mean silhouette of each cut; -1 where it has one cluster only, or one for every vector."""
    from sklearn.metrics import silhouette_score

    sample = np.random.default_rng(seed).permutation(len(unit))[:_SCORED]
    # Of the same vectors for all cuts: their distances are most of the work.
    apart = np.maximum(1 - unit[sample] @ unit[sample].T, 0)
    np.fill_diagonal(apart, 0)
    return {
        number: float(silhouette_score(apart, labels[sample], metric="precomputed"))
        if 2 <= len(np.unique(labels[sample])) < len(sample)
        else -1.0
        for number, labels in cuts.items()
    }


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

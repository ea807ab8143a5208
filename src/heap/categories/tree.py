"""Merge tree of vectors: grown once, and cut into any number of clusters in a moment.

The leaves are the vectors, or of many the clusters of a k-means. They are merged in pairs by the
criterion of Ward ("Hierarchical grouping to optimize an objective function", 1963): always the two
whose union adds least to the sum of squared distances from the means. A cut is where k-means goes
on from, on the leaves, so that a leaf that was merged early can still change sides.
"""

import warnings
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock

import numpy as np
from jaxtyping import Float32, Float64, Int64

from heap.base.forked import compute_after_fork
from heap.store.columns import unit_vectors

LEAVES = 512
"""Leaves of a tree, unless more are asked for."""
_STEPS = 10
"""Steps of k-means at most; most of what they change is done by the first three."""
_MANY = 20_000
"""Vectors that the leaves are made of at most, spread evenly; all are given to them."""
_KEPT = 4
"""Trees that are kept, so that who looks for the right number of clusters need not wait."""

Vectors = Float32[np.ndarray, "vector dim"]


@dataclass(frozen=True)
class MergeTree:
    """Leaves of vectors of length 1, and the order in which they are merged."""

    leaf_of: Int64[np.ndarray, " vector"]
    means: Float32[np.ndarray, "leaf dim"]
    """Means of the vectors of a leaf, not of length 1."""
    counts: Int64[np.ndarray, " leaf"]
    merges: Int64[np.ndarray, "merge 2"]
    """Leaves whose clusters become one, of all there are to the last two, cheapest first."""

    def cut(self, count: int) -> Int64[np.ndarray, " vector"]:
        """Cluster of each vector, from 0; there are `count` of them, or as many as leaves."""
        parts = self._parts(count)
        for _ in range(_STEPS):
            moved = np.unique(self._step(parts), return_inverse=True)[1]
            if np.array_equal(moved, parts):
                break
            parts = moved
        labels: Int64[np.ndarray, " vector"] = parts[self.leaf_of]
        return labels

    def _parts(self, count: int) -> Int64[np.ndarray, " leaf"]:
        """Cluster of each leaf once only `count` are left."""
        part = np.arange(len(self.counts))
        for kept, gone in self.merges[: max(0, len(part) - count)]:
            part[part == part[gone]] = part[kept]
        return np.unique(part, return_inverse=True)[1]

    def _step(self, parts: Int64[np.ndarray, " leaf"]) -> Int64[np.ndarray, " leaf"]:
        """Nearest mean direction of each leaf: a step of k-means."""
        sums = np.zeros((parts.max() + 1, self.means.shape[1]), dtype=np.float32)
        np.add.at(sums, parts, self.means * self.counts[:, None])
        nearest: Int64[np.ndarray, " leaf"] = (self.means @ unit_vectors(sums).T).argmax(axis=1)
        return nearest


def tree_of(vectors: Vectors, leaves: int = LEAVES, seed: int = 0) -> MergeTree:
    """Grow the tree of some vectors, or return the one that was grown of the same ones lately.

    Up to so many `leaves` every vector is one; of more vectors k-means makes them, which begins by
    `seed`.
    """
    unit = unit_vectors(vectors)
    made_of = f"{unit.shape} {leaves} {seed}".encode()
    digest = blake2b(np.ascontiguousarray(unit).data, key=blake2b(made_of).digest()).digest()
    with _lock:
        tree = _trees.pop(digest, None)
    if tree is None:
        tree = _grow(unit, leaves, seed)
    with _lock:
        _trees[digest] = tree
        while len(_trees) > _KEPT:
            _trees.popitem(last=False)
    return tree


_trees: OrderedDict[bytes, MergeTree] = OrderedDict()
_lock = Lock()


def _grow(unit: Vectors, leaves: int, seed: int) -> MergeTree:
    leaf_of = np.arange(len(unit)) if len(unit) <= leaves else _make_leaves(unit, leaves, seed)
    counts = np.bincount(leaf_of)
    sums = np.zeros((len(counts), unit.shape[1]), dtype=np.float32)
    np.add.at(sums, leaf_of, unit)
    means = sums / counts[:, None].astype(np.float32)
    return MergeTree(leaf_of, means, counts, _merge(means.astype(np.float64), counts))


def _make_leaves(unit: Vectors, leaves: int, seed: int) -> Int64[np.ndarray, " vector"]:
    # scikit-learn takes half a second to import, and a run is opened far more often than sorted.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    compute_after_fork()
    sample = np.linspace(0, len(unit) - 1, min(len(unit), _MANY)).astype(np.int64)
    # Random vectors to begin with: to choose them far apart (k-means++) takes ten times as long as
    # all the rest, and so many small clusters become no better by it.
    begun = KMeans(leaves, init="random", n_init=1, max_iter=_STEPS, random_state=seed)
    with warnings.catch_warnings():
        # It warns of equal vectors, which can make fewer clusters than were asked for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = begun.fit(unit[sample]).predict(unit)
    # Without numbers that no vector has.
    return np.unique(labels, return_inverse=True)[1]


def _merge(
    means: Float64[np.ndarray, "leaf dim"], counts: Int64[np.ndarray, " leaf"]
) -> Int64[np.ndarray, "merge 2"]:
    """Merge all leaves by Ward's criterion, along chains of nearest neighbours.

    Two that are nearest to each other are merged by every order of merging, so that the chains
    (Murtagh, "A survey of recent advances in hierarchical clustering algorithms", 1983) find the
    tree of the greedy order with a look at three rows of distances for each merge.
    """
    number, size = len(means), counts.astype(np.float64)
    square = (means**2).sum(axis=1)
    cost = np.maximum(square[:, None] + square - 2 * means @ means.T, 0)
    cost *= np.outer(size, size) / np.add.outer(size, size)
    np.fill_diagonal(cost, np.inf)
    left = np.ones(number, dtype=bool)
    merges: list[tuple[float, int, int]] = []
    chain: list[int] = []
    while len(merges) < number - 1:
        if not chain:
            chain.append(int(left.argmax()))
        last = chain[-1]
        nearest = int(cost[last].argmin())
        # Of equally near ones the one before, or a chain could go round in a circle.
        before = chain[-2] if len(chain) > 1 else nearest
        if len(chain) == 1 or cost[last, before] > cost[last, nearest]:
            chain.append(nearest)
            continue
        del chain[-2:]
        kept, gone = sorted((before, last))
        merges.append((float(cost[kept, gone]), kept, gone))
        _join(cost, size, left, kept, gone)
    # Stable: of equally cheap merges those first that the chains have made first.
    merges.sort(key=lambda merge: merge[0])
    return np.array([pair for _, *pair in merges], dtype=np.int64).reshape(-1, 2)


def _join(
    cost: Float64[np.ndarray, "leaf leaf"],
    size: Float64[np.ndarray, " leaf"],
    left: np.ndarray,
    kept: int,
    gone: int,
) -> None:
    """Let one row stand for two, by the formula of Lance and Williams for Ward's criterion."""
    both = (size[kept] + size) * cost[kept] + (size[gone] + size) * cost[gone]
    row = (both - size * cost[kept, gone]) / (size[kept] + size[gone] + size)
    left[gone] = False
    row[~left] = row[kept] = np.inf
    cost[kept] = cost[:, kept] = row
    cost[gone] = cost[:, gone] = np.inf
    size[kept] += size[gone]

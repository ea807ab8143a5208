"""Agreement of clusters with classes, from tables of the numbers of objects that both share.

They are scikit-learn's scores, of many tables at once: a bootstrap needs tens of thousands, and a
call of scikit-learn takes milliseconds.
"""

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import xlogy

Counts = Float64[np.ndarray, "*tables class cluster"]
Sums = Float64[np.ndarray, "*tables"]
SCORES = ("nmi", "ari", "purity")
"""Normalised mutual information (arithmetic mean), adjusted Rand index, and the share of objects
that are of the class that most objects of their cluster have."""


def tables(
    images: Int64[np.ndarray, " object"],
    classes: Int64[np.ndarray, " object"],
    clusters: Int64[np.ndarray, " object"],
    shape: tuple[int, int, int],
) -> Float64[np.ndarray, "image class cluster"]:
    """Count the objects of every image by class and cluster; `shape` has the numbers of all three.

    Objects whose cluster is below 0 are left out.
    """
    counts = np.zeros(shape)
    kept = clusters >= 0
    np.add.at(counts, (images[kept], classes[kept], clusters[kept]), 1)
    return counts


def agreement(
    counts: Counts,
) -> Float64[np.ndarray, "*tables 3"]:
    """The `SCORES` of each table; nan where it is empty."""
    sums, total = (counts.sum(axis=-1), counts.sum(axis=-2)), counts.sum(axis=(-1, -2))
    whole = np.maximum(total, 1)
    purity = counts.max(axis=-2).sum(axis=-1) / whole
    values = np.stack([_nmi(counts, *sums, whole), _ari(counts, *sums), purity], axis=-1)
    scores: np.ndarray = np.where(total[..., None] > 0, values, np.nan)
    return scores


def _nmi(counts: Counts, of_class: Sums, of_cluster: Sums, total: Sums) -> Sums:
    alone = _entropy(of_class, total) + _entropy(of_cluster, total)
    shared = alone - _entropy(counts.reshape(*counts.shape[:-2], -1), total)
    # As in scikit-learn, one class that is one cluster is a perfect match.
    score: np.ndarray = np.divide(2 * shared, alone, out=np.ones_like(alone), where=alone > 1e-12)
    return score


def _entropy(counts: Sums, total: Sums) -> Sums:
    shares = counts / total[..., None]
    entropy: np.ndarray = -xlogy(shares, shares).sum(axis=-1)
    return entropy


def _ari(counts: Counts, of_class: Sums, of_cluster: Sums) -> Sums:
    by_class, by_cluster = _pairs(of_class).sum(axis=-1), _pairs(of_cluster).sum(axis=-1)
    expected = by_class * by_cluster / np.maximum(_pairs(of_class.sum(axis=-1)), 1)
    most = (by_class + by_cluster) / 2
    gained = _pairs(counts).sum(axis=(-1, -2)) - expected
    score: np.ndarray = np.divide(
        gained, most - expected, out=np.ones_like(most), where=most > expected
    )
    return score


def _pairs(counts: np.ndarray) -> np.ndarray:
    pairs: np.ndarray = counts * (counts - 1) / 2
    return pairs

"""Clusters of embeddings, matched to the true classes once, at the end.

As in MaskContrast's evaluation, the objects of a split are clustered, the background is a cluster
of its own, and clusters are matched to classes one to one so that their IoU is highest.
"""

import warnings

import numpy as np
from jaxtyping import Float, Float64, Int64, Real
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment

MOST_DIMS = 32
"""Principal components that are kept."""
RESTARTS = 10
STEPS = 50
"""Most steps of one k-means, which converges long before."""
NOISE = 1e-6
"""Components with less than this share of the largest deviation are rounding, not structure."""


def cluster(
    embeddings: Float[np.ndarray, "object dim"], k: int, seed: int
) -> Int64[np.ndarray, " object"]:
    """Return the cluster of each object, in [0, k); some stay empty if there are few objects.

    Embeddings are scaled to unit length and reduced to at most 32 whitened principal components;
    then k-means++, the best of ten by the sum of squared distances.
    """
    points = whiten_components(embeddings)
    different, which = np.unique(points, axis=0, return_inverse=True)
    if len(different) <= k:
        return which.reshape(len(points))
    random = np.random.default_rng(seed)
    clusterings = [_run_k_means(points, k, random) for _ in range(RESTARTS)]
    return min(clusterings, key=lambda clustering: clustering[0])[1]


def whiten_components(
    embeddings: Float[np.ndarray, "object dim"],
) -> Float64[np.ndarray, "object component"]:
    """Principal components of the embeddings at unit length, each with unit variance."""
    if not len(embeddings):
        return np.zeros((0, 0))
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings.astype(np.float64) / np.where(length > 0, length, 1)
    left, deviation, _ = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
    kept = int(np.count_nonzero(deviation[:MOST_DIMS] > max(NOISE * deviation[0], NOISE)))
    # Rounding keeps equal embeddings equal: with fewer different points than k, k-means++ would
    # divide by zero, and `cluster` does without it.
    points: np.ndarray = (left[:, :kept] * np.sqrt(len(left))).round(9)
    return points


def cluster_iou(
    confusion: Real[np.ndarray, "class cluster"],
) -> Float64[np.ndarray, "cluster class"]:
    """IoU of each cluster with each class, from the pixels counted by both; 0 where both are empty.

    It takes the state of `update_confusion` with clusters for predictions, 0 the background.
    """
    shared = confusion.T.astype(np.float64)
    union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0) - shared
    iou: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def match_clusters(overlap: Float64[np.ndarray, "cluster class"]) -> Int64[np.ndarray, " cluster"]:
    """Class of each cluster, one to one, so that the sum of their IoU is highest.

    -1 for the clusters that are left over where there are more of them than classes.
    """
    classes = np.full(len(overlap), -1, dtype=np.int64)
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    classes[rows] = columns
    return classes


def _run_k_means(
    points: Float64[np.ndarray, "object component"], k: int, random: np.random.Generator
) -> tuple[float, Int64[np.ndarray, " object"]]:
    """Sum of squared distances, and the cluster of each point."""
    with warnings.catch_warnings():
        # An empty cluster keeps its place and may win points later; SciPy warns at every step.
        warnings.filterwarnings("ignore", "One of the clusters is empty", UserWarning)
        centres, labels = kmeans2(points, k, iter=STEPS, minit="++", rng=random)
    return float(((points - centres[labels]) ** 2).sum()), labels.astype(np.int64)

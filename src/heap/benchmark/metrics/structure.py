"""S-measure (Fan et al., Structure-measure, ICCV 2017), with α = 0.5."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from heap.benchmark.metrics.masks import Mask

ALPHA = 0.5
"""Weight of the objects' score; the rest is that of the regions."""


def s_measure(
    prediction: Float32[np.ndarray, "height width"], truth: Mask, valid: Mask | None = None
) -> float:
    """Structural similarity of a map in [0, 1] and the truth, in [0, 1]; 1 is best.

    The mean brightness decides alone where the truth is all background or all foreground. The
    measure looks at whole rectangles and knows no void: pixels that are not `valid` count as
    background, in the truth and in the map.
    """
    soft = prediction.astype(np.float64)
    if valid is not None:
        soft, truth = soft * valid, truth & valid
    if not truth.any():
        return float(1 - soft.mean())
    if truth.all():
        return float(soft.mean())
    return max(0.0, ALPHA * _object_score(soft, truth) + (1 - ALPHA) * _region_score(soft, truth))


def _object_score(soft: Float64[np.ndarray, "height width"], truth: Mask) -> float:
    """Evenness of a bright foreground and of a dark background, weighted by area."""
    share = float(truth.mean())
    return share * _evenness(soft[truth]) + (1 - share) * _evenness(1 - soft[~truth])


def _evenness(values: Float64[np.ndarray, " pixel"]) -> float:
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if values.size > 1 else 0.0
    return 2 * mean / (mean**2 + 1 + spread)


def _region_score(soft: Float64[np.ndarray, "height width"], truth: Mask) -> float:
    """Similarity of the four rectangles that meet at the truth's centroid, weighted by area."""
    # The pixel of the centroid belongs to the upper left one; an exact half goes to the even pixel.
    row, col = np.rint(np.argwhere(truth).mean(axis=0)).astype(int) + 1
    parts = [
        (rows, cols)
        for rows in (slice(None, row), slice(row, None))
        for cols in (slice(None, col), slice(col, None))
    ]
    return (
        sum(_similarity(soft[part], truth[part]) * truth[part].size for part in parts) / truth.size
    )


def _similarity(
    soft: Float64[np.ndarray, "rows cols"], truth: Bool[np.ndarray, "rows cols"]
) -> float:
    """Means, variances and correlation in one, at most 1; two even rectangles are alike."""
    if truth.size < 2:
        return 1.0
    # Less its first value: the variance of an even rectangle has to be 0, not a rounding error.
    covariance = np.cov((soft - soft.flat[:1]).ravel(), truth.ravel())
    mean_x, mean_y = soft.mean(), truth.mean()
    alike = 4 * mean_x * mean_y * covariance[0, 1]
    unlike = (mean_x**2 + mean_y**2) * (covariance[0, 0] + covariance[1, 1])
    return float(alike / unlike) if unlike else 1.0

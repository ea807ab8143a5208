"""Intervals by the bootstrap: what a value could have been on other images of the same kind.

All are 95 % percentile intervals over resamples of the images, drawn with replacement.
"""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Float64

PERCENTILES = (2.5, 97.5)
MEAN_RESAMPLES = 10_000
RESAMPLES = 2_000
CHUNK = 100
"""Resamples held in memory at once."""

Summed = Float64[np.ndarray, " *state"]
Value = float | Float64[np.ndarray, " value"]


def bootstrap_interval(values: Float[np.ndarray, " image"], seed: int = 0) -> tuple[float, float]:
    """Interval of the mean over images, at least one, from 10,000 resamples.

    For two methods on the same images give the differences: that makes it the paired bootstrap.
    """
    generator, size = np.random.default_rng(seed), (CHUNK, len(values))
    chunks = range(MEAN_RESAMPLES // CHUNK)
    means = [values[generator.integers(len(values), size=size)].mean(axis=1) for _ in chunks]
    low, high = np.percentile(means, PERCENTILES)
    return float(low), float(high)


def resampled(
    states: Float64[np.ndarray, "image *state"],
    compute: Callable[[Summed], Value],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Float64[np.ndarray, "2 *value"]:
    """Low and high end for a metric of the sum of the states of the images, at least one.

    `compute` takes such a sum and returns one value or a vector of them; each gets its interval.
    The states are finite. For two methods on the same images stack their states along a new second
    axis and let `compute` return the difference: that makes it the paired bootstrap.
    """
    flat = states.reshape(len(states), -1)
    sums = (drawn @ flat for drawn in _counts(len(states), resamples, seed))
    values = [compute(one.reshape(states.shape[1:])) for chunk in sums for one in chunk]
    ends: np.ndarray = np.percentile(np.array(values, dtype=np.float64), PERCENTILES, axis=0)
    return ends


def _counts(
    images: int, resamples: int, seed: int
) -> Iterator[Float64[np.ndarray, "resample image"]]:
    """How often each image was drawn in each resample, `CHUNK` resamples at a time."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, CHUNK):
        rows = min(CHUNK, resamples - start)
        drawn = generator.integers(images, size=(rows, images)) + images * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * images)
        yield counts.reshape(rows, images).astype(np.float64)

"""The interval of a plain mean; for all other values see `heap.benchmark.results.estimate`."""

import numpy as np
from jaxtyping import Float

PERCENTILES = (2.5, 97.5)
RESAMPLES = 10_000
CHUNK = 100
"""Resamples held in memory at once."""


def bootstrap_interval(values: Float[np.ndarray, " image"], seed: int = 0) -> tuple[float, float]:
    """Interval of the mean over images, at least one, from 10,000 resamples.

    Differences of two methods on the same images make it the paired bootstrap.
    """
    generator, size = np.random.default_rng(seed), (CHUNK, len(values))
    chunks = range(RESAMPLES // CHUNK)
    means = [values[generator.integers(len(values), size=size)].mean(axis=1) for _ in chunks]
    low, high = np.percentile(means, PERCENTILES)
    return float(low), float(high)

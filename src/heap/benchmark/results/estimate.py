"""Values of a whole data set, their bootstrap intervals, and paired differences.

A bootstrap draws as many images as there are, with replacement; the number of times that an image
is drawn is its weight. So any value that can be computed from weighted images has an interval, and
two values of the same images have a paired difference: the same weights go into both.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from heap.benchmark.metrics.detection import Detections, Matches

_CHUNK = 250
"""Resamples at a time: for large data sets the weights of all would not fit in memory."""


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % percentile interval; nan where it is not defined."""

    value: float
    low: float
    high: float


class Values(ABC):
    """Named values of a data set, computed together."""

    names: tuple[str, ...]
    images: int
    resamples: int

    @abstractmethod
    def at(
        self, weights: Float64[np.ndarray, "resample image"]
    ) -> Float64[np.ndarray, "resample name"]:
        """Values where every image counts as often as its weight says."""

    def value(self) -> dict[str, float]:
        """Values with every image counted once."""
        once = np.ones((1, self.images))
        return dict(zip(self.names, map(float, self.at(once)[0]), strict=True))

    def estimate(self, seed: int = 0) -> dict[str, Estimate]:
        """Values with their intervals."""
        drawn = [self.at(weights) for weights in draw_weights(self.images, self.resamples, seed)]
        return _to_estimates(self.value(), np.concatenate(drawn))

    def difference(self, other: "Values", seed: int = 0) -> dict[str, Estimate]:
        """Paired difference: these less the `other`, on the same images in the same order."""
        if (self.names, self.images) != (other.names, other.images):
            raise ValueError("only values of the same names and images can be compared")
        theirs = other.value()
        gap = {name: value - theirs[name] for name, value in self.value().items()}
        drawn = [
            self.at(weights) - other.at(weights)
            for weights in draw_weights(self.images, self.resamples, seed)
        ]
        return _to_estimates(gap, np.concatenate(drawn))


class OfSums(Values):
    """Values that are computed from the weighted sum of a state vector of every image."""

    def __init__(
        self,
        names: tuple[str, ...],
        states: Float64[np.ndarray, "image state"],
        compute: Callable[[Float64[np.ndarray, " state"]], Sequence[float]],
        resamples: int = 2000,
    ) -> None:
        self.names, self.states, self.compute = names, states, compute
        self.images, self.resamples = len(states), resamples

    def at(
        self, weights: Float64[np.ndarray, "resample image"]
    ) -> Float64[np.ndarray, "resample name"]:
        """See `Values`."""
        return np.array([self.compute(state) for state in weights @ self.states], dtype=np.float64)


class Means(OfSums):
    """Means over the images."""

    def __init__(self, names: tuple[str, ...], scores: Float64[np.ndarray, "image name"]) -> None:
        super().__init__(names, scores, lambda total: total.tolist(), 10_000)

    def at(
        self, weights: Float64[np.ndarray, "resample image"]
    ) -> Float64[np.ndarray, "resample name"]:
        """See `Values`."""
        mean: np.ndarray = weights @ self.states / weights.sum(axis=1, keepdims=True)
        return mean


class OfDetections(Values):
    """COCO's AP and AR; all of `Matches.NAMES`, or some."""

    resamples = 500

    def __init__(
        self, states: Sequence[Detections], names: tuple[str, ...] = Matches.NAMES
    ) -> None:
        self.names, self.images = names, len(states)
        self._columns = [Matches.NAMES.index(name) for name in names]
        self._matches = Matches(states)

    def at(
        self, weights: Float64[np.ndarray, "resample image"]
    ) -> Float64[np.ndarray, "resample name"]:
        """See `Values`."""
        metrics = [self._matches.compute(resample) for resample in weights]
        return np.array(metrics, dtype=np.float64)[:, self._columns]


def draw_weights(
    images: int, resamples: int, seed: int
) -> Iterator[Float64[np.ndarray, "resample image"]]:
    """Yield the weights of the images in blocks of resamples; the same arguments give the same."""
    random = np.random.default_rng(seed)
    for start in range(0, resamples, _CHUNK):
        count = min(_CHUNK, resamples - start)
        yield random.multinomial(images, np.full(images, 1 / images), size=count).astype(np.float64)


def _to_estimates(
    values: dict[str, float], drawn: Float64[np.ndarray, "resample name"]
) -> dict[str, Estimate]:
    # A resample may leave a value undefined, such as AP without any object; it is left out.
    defined = [column[~np.isnan(column)] for column in drawn.T]
    ends = [
        np.percentile(column, [2.5, 97.5]) if column.size else (np.nan,) * 2 for column in defined
    ]
    return {
        name: Estimate(value, float(low), float(high))
        for (name, value), (low, high) in zip(values.items(), ends, strict=True)
    }

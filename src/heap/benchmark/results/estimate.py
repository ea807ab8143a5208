"""A value of a whole data set, its bootstrap interval, and the difference of two of them.

A bootstrap draws as many images as there are, with replacement; what it draws is a weight for each
image. Any value that can be computed from weighted images therefore has an interval, and two values
of the same images have a paired difference: the same weights go into both.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from heap.benchmark.metrics.detection import Detections, Matches

_CHUNK = 250
"""Resamples at a time: the weights of all of them would not fit in memory for large sets."""


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
        """The values where each image counts as often as its weight says."""

    def value(self) -> dict[str, float]:
        """The values, each image once."""
        once = np.ones((1, self.images))
        return dict(zip(self.names, map(float, self.at(once)[0]), strict=True))

    def estimate(self, seed: int = 0) -> dict[str, Estimate]:
        """The values with their intervals."""
        drawn = [self.at(weights) for weights in draws(self.images, self.resamples, seed)]
        return _estimates(self.value(), np.concatenate(drawn))

    def difference(self, other: "Values", seed: int = 0) -> dict[str, Estimate]:
        """This less the other, on the same images in the same order, paired."""
        if (self.names, self.images) != (other.names, other.images):
            raise ValueError("only values of the same names and images can be compared")
        theirs = other.value()
        gap = {name: value - theirs[name] for name, value in self.value().items()}
        drawn = [
            self.at(weights) - other.at(weights)
            for weights in draws(self.images, self.resamples, seed)
        ]
        return _estimates(gap, np.concatenate(drawn))


class OfSums(Values):
    """Values of the sum of the states of the images."""

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
        found = np.array([self._matches.compute(each) for each in weights], dtype=np.float64)
        return found[:, self._columns]


def draws(
    images: int, resamples: int, seed: int
) -> Iterator[Float64[np.ndarray, "resample image"]]:
    """How often each image is drawn in each resample; the same for the same three numbers."""
    random = np.random.default_rng(seed)
    for start in range(0, resamples, _CHUNK):
        count = min(_CHUNK, resamples - start)
        yield random.multinomial(images, np.full(images, 1 / images), size=count).astype(np.float64)


def _estimates(
    values: dict[str, float], drawn: Float64[np.ndarray, "resample name"]
) -> dict[str, Estimate]:
    # What a resample does not define, such as AP without an object, says nothing of the others.
    defined = [column[~np.isnan(column)] for column in drawn.T]
    ends = [np.percentile(each, [2.5, 97.5]) if each.size else (np.nan,) * 2 for each in defined]
    return {
        name: Estimate(value, float(low), float(high))
        for (name, value), (low, high) in zip(values.items(), ends, strict=True)
    }

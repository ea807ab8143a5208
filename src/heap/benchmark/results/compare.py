"""Comparison of methods: the paired difference on the same images, with its interval.

Any value that is computed from images, a mean or not, has such a difference: the same images are
drawn for both methods (see `heap.benchmark.results.estimate`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from heap.base.errors import InputError
from heap.benchmark.results import Results, read_results
from heap.benchmark.results.estimate import Estimate, Values

NAMED = 3
"""Images that an error names."""


@runtime_checkable
class Valued(Protocol):
    """Part of an evaluation protocol that is needed here."""

    def values(self, rows: Sequence[dict[str, Any]], notes: dict[str, Any]) -> Sequence[Values]:
        """Values of the rows of a file."""


@dataclass(frozen=True)
class Comparison:
    """One metric of two methods; all are fractions, but for numbers of boxes."""

    ours: str
    theirs: str
    """Labels of method and encoder."""
    protocol: str
    metric: str
    images: int
    our_value: float
    their_value: float
    difference: Estimate
    """Ours less theirs, with its 95 % interval by the paired bootstrap."""


def compare_files(paths: Sequence[Path], protocols: Mapping[str, Valued]) -> list[Comparison]:
    """Compare the first file with every other one.

    Raises:
        InputError: fewer than two files, or files that cannot be compared; see `compare`.
        StoreError: if a file is damaged.
    """
    if len(paths) < 2:
        raise InputError("a comparison needs at least two files of results")
    ours, *others = map(read_results, paths)
    return [comparison for theirs in others for comparison in compare([ours], [theirs], protocols)]


def compare(
    ours: Sequence[Results], theirs: Sequence[Results], protocols: Mapping[str, Valued]
) -> list[Comparison]:
    """Compare two methods, with a result for every seed of each, in every protocol that they share.

    Several seeds count as one: their values are averaged before the difference is taken.

    Args:
        ours: Seeds of one method.
        theirs: Seeds of another, on the same data.
        protocols: The protocols by name, which say what the rows are worth.

    Raises:
        InputError: other data, no shared protocol, other images, an unknown protocol.
    """
    everyone = [*ours, *theirs]
    _check_data(everyone)
    shared = [
        name for name in ours[0].protocols if all(name in results.protocols for results in everyone)
    ]
    if not shared:
        had = "; ".join(
            f"{_label(results)} has {', '.join(results.protocols)}" for results in everyone
        )
        raise InputError(f"the results share no protocol: {had}; evaluate them with the same one")
    return [row for name in shared for row in _compare_protocol(ours, theirs, name, protocols)]


def _compare_protocol(
    ours: Sequence[Results],
    theirs: Sequence[Results],
    name: str,
    protocols: Mapping[str, Valued],
) -> list[Comparison]:
    if name not in protocols:
        raise InputError(f"this heap does not know the protocol {name}; update heap")
    images = _shared_images([*ours, *theirs], name)
    comparisons = []
    for pair in zip(
        _values(ours, name, images, protocols[name]),
        _values(theirs, name, images, protocols[name]),
        strict=True,
    ):
        values = [side.value() for side in pair]
        comparisons += [
            Comparison(
                _label(ours[0]), _label(theirs[0]), name, metric, len(images),
                values[0][metric], values[1][metric], difference,
            )
            for metric, difference in pair[0].difference(pair[1]).items()
        ]  # fmt: skip
    return comparisons


class _MeanOfSeeds(Values):
    """Mean of the values of several seeds for the same images."""

    def __init__(self, seeds: Sequence[Values]) -> None:
        self.names, self.images = seeds[0].names, seeds[0].images
        self.resamples = seeds[0].resamples
        self._seeds = seeds

    def at(
        self, weights: Float64[np.ndarray, "resample image"]
    ) -> Float64[np.ndarray, "resample name"]:
        """See `Values`."""
        mean: np.ndarray = np.mean([seed.at(weights) for seed in self._seeds], axis=0)
        return mean


def _values(
    seeds: Sequence[Results], name: str, images: Sequence[str], protocol: Valued
) -> list[Values]:
    values_of_seeds = []
    for results in seeds:
        scores = results.scores_of(name)
        rows = [scores[image] for image in images]
        values_of_seeds.append(protocol.values(rows, results.protocols[name].notes))
    return [_MeanOfSeeds(seeds_of_value) for seeds_of_value in zip(*values_of_seeds, strict=True)]


def _check_data(everyone: Sequence[Results]) -> None:
    first = everyone[0]
    for other in everyone[1:]:
        if other.data.sha256 != first.data.sha256:
            raise InputError(
                f"the results are of different data: {first.data.label} "
                f"({first.data.sha256[:12]}) for {_label(first)}, {other.data.label} "
                f"({other.data.sha256[:12]}) for {_label(other)}; evaluate them on the same images"
            )


def _shared_images(everyone: Sequence[Results], protocol: str) -> list[str]:
    """Images of the first result, which all others must have too."""
    first = everyone[0].scores_of(protocol)
    for other in everyone[1:]:
        if lonely := sorted(first.keys() ^ other.scores_of(protocol).keys()):
            named = ", ".join(lonely[:NAMED]) + (", ..." if len(lonely) > NAMED else "")
            raise InputError(
                f"{len(lonely)} images are scored by {protocol} for only one of "
                f"{_label(everyone[0])} and {_label(other)}: {named}; mend what failed there, or "
                "evaluate both on the images that work"
            )
    return list(first)


def _label(results: Results) -> str:
    return f"{results.method.label}, {results.encoder.label}"

"""Results that belong together: the seeds of one method, and methods that differ in settings."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

from heap.base.errors import InputError
from heap.benchmark.results import AboutData, Metric, Results
from heap.benchmark.tables.layout import Cell
from heap.config import differing_keys

_ABLATED = re.compile(r"(\w+\.)*(losses|groups)\b")
"""Settings whose change makes an ablation."""

DataKey = tuple[str, str, int]
"""What tells data from others: the label alone could be given twice."""


@dataclass(frozen=True)
class Group:
    """One method on one data set with one encoder and the same settings, with all its seeds."""

    results: tuple[Results, ...]

    @property
    def first(self) -> Results:
        """One of them, for what they share."""
        return self.results[0]

    @property
    def settings(self) -> dict[str, Any]:
        """What the method and its features were told, but for the seed."""
        method: dict[str, Any] = _seedless(self.first.method.settings)
        return {"features": self.first.encoder.features, **method}

    @property
    def data(self) -> DataKey:
        """The data that they are of."""
        return _data_key(self.first.data)

    @property
    def protocols(self) -> dict[str, list[str]]:
        """Metrics of each protocol, in the order of the files."""
        found: dict[str, dict[str, None]] = {}
        for results in self.results:
            for name, scores in results.protocols.items():
                found.setdefault(name, {}).update(dict.fromkeys(scores.metrics))
        return {name: list(metrics) for name, metrics in found.items()}

    def cell(self, protocol: str, metric: str) -> Cell | None:
        """The value of a metric: of one seed with its interval, of several with their deviation."""
        found = [
            scores.metrics[metric]
            for results in self.results
            if (scores := results.protocols.get(protocol)) and metric in scores.metrics
        ]
        return _cell([each for each in found if each.value is not None])

    def mean(self, amounts: Iterable[float | None]) -> Cell | None:
        """The mean of something measured for each seed."""
        known = [amount for amount in amounts if amount is not None]
        return Cell(float(mean(known))) if known else None


Named = tuple[str, Group]
"""A group, and its name in tables of methods."""


def group(everything: Sequence[Results]) -> list[Group]:
    """Put the seeds of each method together, in the order in which they come.

    Raises:
        InputError: if two results are of the same seed and protocol.
    """
    found: dict[str, list[Results]] = {}
    for results in everything:
        found.setdefault(_key(results), []).append(results)
    for seeds in found.values():
        _check_seeds(seeds)
    return [Group(tuple(seeds)) for seeds in found.values()]


def base_of(groups: Sequence[Group]) -> Group:
    """The one whose settings differ least from those of all others; of several the first.

    Where settings are changed one at a time, that is the one they were changed from.
    """
    return min(groups, key=lambda one: sum(len(changes(one, other)) for other in groups))


def changes(base: Group, other: Group) -> list[str]:
    """The settings that are not the same, each with both values."""
    return differing_keys(base.settings, other.settings)


def is_ablation(base: Group, other: Group) -> bool:
    """Whether losses or the number of group tokens were changed."""
    return any(_ABLATED.match(change) for change in changes(base, other))


def named(groups: Sequence[Group]) -> list[Named]:
    """The groups that tables of methods show, each with its name there.

    Ablations of a method of the same label are left to their own table; where other settings
    differ, the name says which.
    """
    families: dict[tuple[str, ...], list[Group]] = {}
    for each in groups:
        about = each.first
        alike = (about.method.label, about.encoder.label, *map(str, each.data))
        families.setdefault(alike, []).append(each)
    found = []
    for family in families.values():
        base = base_of(family)
        for each in family:
            if not is_ablation(base, each):
                told = ", ".join(changes(base, each))
                label = each.first.method.label
                found.append((f"{label} ({told})" if told else label, each))
    return found


def by_encoder(groups: Sequence[Named]) -> list[list[Named]]:
    """The groups of each encoder."""
    found: dict[str, list[Named]] = {}
    for label, each in groups:
        found.setdefault(each.first.encoder.label, []).append((label, each))
    return list(found.values())


def _cell(metrics: Sequence[Metric]) -> Cell | None:
    values = [metric.value for metric in metrics if metric.value is not None]
    if not values:
        return None
    if len(values) > 1:
        return Cell(mean(values), deviation=stdev(values))
    return Cell(values[0], metrics[0].low, metrics[0].high)


def _data_key(data: AboutData) -> DataKey:
    return data.label, data.sha256, data.images


def _key(results: Results) -> str:
    method, encoder = results.method, asdict(results.encoder)
    about = (method.name, method.label, _seedless(method.settings), encoder)
    return json.dumps([about, _data_key(results.data)], sort_keys=True)


def _seedless(settings: Any) -> Any:
    if isinstance(settings, dict):
        return {key: _seedless(each) for key, each in settings.items() if key != "seed"}
    return settings


def _check_seeds(seeds: Sequence[Results]) -> None:
    given = Counter(
        (results.method.seed, protocol) for results in seeds for protocol in results.protocols
    )
    for (seed, protocol), count in given.items():
        if count > 1:
            about = seeds[0]
            raise InputError(
                f"{count} results are of {about.method.label} on {about.data.label} by {protocol} "
                f"with seed {seed} and the same settings; leave out all but one"
            )

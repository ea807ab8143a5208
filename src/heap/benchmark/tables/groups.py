"""Groups of results: the seeds of a method, and methods that differ in settings only."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

from heap.base.errors import InputError
from heap.base.lookup import group_by
from heap.benchmark.results import AboutData, Metric, Results
from heap.benchmark.tables.layout import Cell
from heap.config import differing_keys

_ABLATED = re.compile(r"(\w+\.)*(losses|groups)\b")
"""Settings whose change makes an ablation."""

DataKey = tuple[str, str, int]
"""Label, digest and number of images: two data sets could have the same label."""


@dataclass(frozen=True)
class Group:
    """One method on one data set with one encoder and the same settings, with all its seeds."""

    results: tuple[Results, ...]

    @property
    def first(self) -> Results:
        """First of the results, for what all of them share."""
        return self.results[0]

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the method and its features, without the seed."""
        method: dict[str, Any] = _seedless(self.first.method.settings)
        return {"features": self.first.encoder.features, **method}

    @property
    def data(self) -> DataKey:
        """Data that the results are of."""
        return _data_key(self.first.data)

    @property
    def protocols(self) -> dict[str, list[str]]:
        """Metrics by protocol, in the order of the files."""
        metrics_of: dict[str, dict[str, None]] = {}
        for results in self.results:
            for name, scores in results.protocols.items():
                metrics_of.setdefault(name, {}).update(dict.fromkeys(scores.metrics))
        return {name: list(metrics) for name, metrics in metrics_of.items()}

    def cell(self, protocol: str, metric: str) -> Cell | None:
        """Value of a metric: of one seed with its interval, of several with their deviation."""
        metrics = [
            scores.metrics[metric]
            for results in self.results
            if (scores := results.protocols.get(protocol)) and metric in scores.metrics
        ]
        return _cell([value for value in metrics if value.value is not None])

    def mean(self, amounts: Iterable[float | None]) -> Cell | None:
        """Mean of something that is measured for every seed."""
        known = [amount for amount in amounts if amount is not None]
        return Cell(float(mean(known))) if known else None


Named = tuple[str, Group]
"""A group, and its name in tables of methods."""


def group_results(everything: Sequence[Results]) -> list[Group]:
    """Group the seeds of every method, in the order in which they come.

    Raises:
        InputError: if two results are of the same seed and protocol.
    """
    by_key = group_by(everything, _key)
    for seeds in by_key.values():
        _check_seeds(seeds)
    return [Group(tuple(seeds)) for seeds in by_key.values()]


def base_of(groups: Sequence[Group]) -> Group:
    """Return the group whose settings differ least from those of all others, of several the first.

    Where settings are changed one at a time, that is the group that they were changed from.
    """
    return min(groups, key=lambda base: sum(len(changed_settings(base, other)) for other in groups))


def changed_settings(base: Group, other: Group) -> list[str]:
    """Settings that are not the same, with both values."""
    return differing_keys(base.settings, other.settings)


def is_ablation(base: Group, other: Group) -> bool:
    """Whether losses or the number of group tokens were changed."""
    return any(_ABLATED.match(change) for change in changed_settings(base, other))


def name_groups(groups: Sequence[Group]) -> list[Named]:
    """Groups that tables of methods show, with their names there.

    Ablations have a table of their own; where other settings differ, the name says which.
    """
    families = group_by(
        groups, lambda group: (group.first.method.label, group.first.encoder.label, group.data)
    )
    shown = []
    for family in families.values():
        base = base_of(family)
        for member in family:
            if not is_ablation(base, member):
                changed = ", ".join(changed_settings(base, member))
                label = member.first.method.label
                shown.append((f"{label} ({changed})" if changed else label, member))
    return shown


def by_encoder(groups: Sequence[Named]) -> list[list[Named]]:
    """Groups of every encoder together."""
    return list(group_by(groups, lambda named: named[1].first.encoder.label).values())


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
        return {key: _seedless(value) for key, value in settings.items() if key != "seed"}
    return settings


def _check_seeds(seeds: Sequence[Results]) -> None:
    counts = Counter(
        (results.method.seed, protocol) for results in seeds for protocol in results.protocols
    )
    for (seed, protocol), count in counts.items():
        if count > 1:
            about = seeds[0]
            raise InputError(
                f"{count} results are of {about.method.label} on {about.data.label} by {protocol} "
                f"with seed {seed} and the same settings; leave out all but one"
            )

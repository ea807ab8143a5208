"""Table of costs: time and memory."""

from collections.abc import Callable, Sequence

from heap.base.lookup import group_by
from heap.benchmark.results import Results
from heap.benchmark.tables.about import describe_data
from heap.benchmark.tables.groups import Named, by_encoder
from heap.benchmark.tables.layout import Column, Line, Table

_COLUMNS = (
    Column("parameters", scale=1.0, digits=0, ranked=False),
    Column("fit, s", scale=1.0, least=True, ranked=False),
    Column("features, ms per image", scale=1000.0, least=True, ranked=False),
    Column("method, ms per image", scale=1000.0, least=True),
    Column("peak memory, MB", scale=1.0, digits=0, least=True),
)
_AMOUNTS: tuple[Callable[[Results], float | None], ...] = (
    lambda results: (results.method.fit or {}).get("parameters"),
    lambda results: (results.method.fit or {}).get("seconds"),
    lambda results: results.cost.features_seconds,
    lambda results: results.cost.method_seconds,
    lambda results: results.cost.peak_mb,
)


def cost_tables(groups: Sequence[Named]) -> list[Table]:
    """Make a table for every data set and machine: times of different machines do not compare."""
    places = group_by(
        groups, lambda named: (named[1].data, *sorted(map(str, named[1].first.machine.items())))
    )
    return [_table(same) for same in places.values()]


def _table(groups: Sequence[Named]) -> Table:
    first = groups[0][1]
    machine = ", ".join(f"{key} {value}" for key, value in first.first.machine.items())
    return Table(
        "cost",
        f"cost-{first.first.data.label}",
        f"Cost, {first.first.data.label}",
        (*describe_data(first), f"machine: {machine}"),
        _COLUMNS,
        tuple(
            Line(
                label,
                group.first.encoder.label,
                tuple(group.mean(map(amount, group.results)) for amount in _AMOUNTS),
            )
            for same in by_encoder(groups)
            for label, group in same
        ),
    )

"""Makes tables of results: one for each task, data set and variant of its protocols."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from heap.base.errors import InputError
from heap.benchmark.results import Results
from heap.benchmark.results.published import Published
from heap.benchmark.tables import words
from heap.benchmark.tables.ablation import ablation_tables
from heap.benchmark.tables.about import about_data, failures
from heap.benchmark.tables.beside import (
    Place,
    notes_on,
    published_alike,
    published_lines,
    published_tables,
)
from heap.benchmark.tables.cost import cost_tables
from heap.benchmark.tables.groups import DataKey, Group, Named, by_encoder, group, named
from heap.benchmark.tables.layout import Line, Table

Kind = Literal["discovery", "saliency", "retrieval", "several", "regions", "ablation", "cost"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Block = tuple[list[Named], list[Published]]
"""What shares an encoder, and what is published with it."""


def make_tables(results: Sequence[Results], which: Sequence[str] | None = None) -> list[Table]:
    """All tables of some kinds (None: of all), in the order of `KINDS`.

    In each, what was measured comes first, then what is published with another encoder or on other
    data.

    Raises:
        InputError: an unknown kind, or two results of the same seed and protocol.
    """
    if unknown := set(which or ()) - set(KINDS):
        raise InputError(
            f"there is no table {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}"
        )
    groups = group(results)
    return [
        table for kind in KINDS if which is None or kind in which for table in _make(kind, groups)
    ]


def _make(kind: Kind, groups: Sequence[Group]) -> list[Table]:
    if kind == "ablation":
        return ablation_tables(groups)
    if kind == "cost":
        return cost_tables(named(groups))
    shown = named(groups)
    return [
        *_measured_tables(kind, shown),
        *published_tables(kind, [each for _, each in shown]),
    ]


def _measured_tables(kind: Kind, groups: Sequence[Named]) -> list[Table]:
    by_data: dict[DataKey, list[Named]] = {}
    for label, each in groups:
        by_data.setdefault(each.data, []).append((label, each))
    return [
        _measured(kind, variant, same)
        for same in by_data.values()
        for variant in sorted(_variants(kind, same), key=lambda name: (name.count("-"), name))
    ]


def _measured(kind: Kind, variant: str, groups: Sequence[Named]) -> Table:
    blocks = [(same, _published(kind, variant, same)) for same in by_encoder(groups)]
    places = _places(kind, variant, blocks)
    columns = tuple(words.column_of(*place) for place in places)
    lines = (line for block in blocks for line in _lines(block, places))
    data, told = groups[0][1].first.data, words.in_words(kind, variant)
    return Table(
        kind,
        "-".join(filter(None, (kind, data.label, variant))),
        f"{words.title_of(kind)}, {data.label}" + (f": {told}" if told else ""),
        about_data(groups[0][1], columns),
        columns,
        tuple(line for line in lines if any(line.cells)),
        notes=failures(groups) + notes_on([row for _, rows in blocks for row in rows]),
    )


def _lines(block: Block, places: Sequence[Place]) -> list[Line]:
    groups, rows = block
    measured = [
        Line(label, each.first.encoder.label, tuple(each.cell(*place) for place in places))
        for label, each in groups
    ]
    beside = published_lines(rows, places, tell_variant=False)
    # The same encoder under the same name.
    return [*measured, *(replace(line, encoder=measured[0].encoder) for line in beside)]


def _published(kind: Kind, variant: str, groups: Sequence[Named]) -> list[Published]:
    alike = published_alike([each for _, each in groups])
    return [row for row in alike if _belongs(row.protocol, kind, variant)]


def _places(kind: Kind, variant: str, blocks: Sequence[Block]) -> list[Place]:
    """The columns: protocols in the order of the results, their metrics in that of the words."""
    found: dict[str, set[str]] = {}
    for groups, rows in blocks:
        for _, each in groups:
            for protocol, metrics in each.protocols.items():
                if _belongs(protocol, kind, variant):
                    found.setdefault(protocol, set()).update(metrics)
        for row in rows:
            found[row.protocol].update(row.values)
    return [
        (protocol, metric)
        for protocol, metrics in found.items()
        for metric in sorted(metrics, key=lambda name: (words.metric_order(name), name))
    ]


def _variants(kind: Kind, groups: Sequence[Named]) -> set[str]:
    names = [name for _, each in groups for name in each.protocols]
    return {words.split_name(name)[1] for name in names if words.task_of(name) == kind}


def _belongs(protocol: str, kind: Kind, variant: str) -> bool:
    return (words.task_of(protocol), words.split_name(protocol)[1]) == (kind, variant)

"""Tables of results: one for every task, data set and variant of its protocols."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from heap.base.errors import InputError
from heap.base.lookup import group_by
from heap.benchmark.results import Results
from heap.benchmark.results.published import Published
from heap.benchmark.tables import words
from heap.benchmark.tables.ablation import ablation_tables
from heap.benchmark.tables.about import describe_data, describe_failures
from heap.benchmark.tables.beside import (
    Place,
    notes_on,
    published_alike,
    published_lines,
    published_tables,
)
from heap.benchmark.tables.cost import cost_tables
from heap.benchmark.tables.groups import (
    Group,
    Named,
    by_encoder,
    group_results,
    name_groups,
)
from heap.benchmark.tables.layout import Line, Table

Kind = Literal["discovery", "saliency", "retrieval", "several", "regions", "ablation", "cost"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Block = tuple[list[Named], list[Published]]
"""Groups that share an encoder, and the figures that are published with it."""


def make_tables(results: Sequence[Results], which: Sequence[str] | None = None) -> list[Table]:
    """Make all tables of some kinds (None: of all), in the order of `KINDS`.

    Own measurements of a kind come first, then figures published with other encoders or data.

    Raises:
        InputError: an unknown kind, or two results of the same seed and protocol.
    """
    if unknown := set(which or ()) - set(KINDS):
        raise InputError(
            f"there is no table {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}"
        )
    groups = group_results(results)
    return [
        table for kind in KINDS if which is None or kind in which for table in _make(kind, groups)
    ]


def _make(kind: Kind, groups: Sequence[Group]) -> list[Table]:
    if kind == "ablation":
        return ablation_tables(groups)
    if kind == "cost":
        return cost_tables(name_groups(groups))
    shown = name_groups(groups)
    return [
        *_measured_tables(kind, shown),
        *published_tables(kind, [group for _, group in shown]),
    ]


def _measured_tables(kind: Kind, groups: Sequence[Named]) -> list[Table]:
    by_data = group_by(groups, lambda named: named[1].data)
    tables = [
        _measured(kind, variant, same)
        for same in by_data.values()
        for variant in sorted(_variants(kind, same), key=lambda name: (name.count("-"), name))
    ]
    # AP, for one, has no value where nothing is annotated.
    return [table for table in tables if table.lines]


def _measured(kind: Kind, variant: str, groups: Sequence[Named]) -> Table:
    blocks = [(same, _published(kind, variant, same)) for same in by_encoder(groups)]
    places = _places(kind, variant, blocks)
    columns = tuple(words.column_of(*place) for place in places)
    lines = (line for block in blocks for line in _lines(block, places))
    data, variant_words = groups[0][1].first.data, words.variant_in_words(kind, variant)
    return Table(
        kind,
        "-".join(filter(None, (kind, data.label, variant))),
        f"{words.title_of(kind)}, {data.label}" + (f": {variant_words}" if variant_words else ""),
        describe_data(groups[0][1], columns),
        columns,
        tuple(line for line in lines if any(line.cells)),
        notes=describe_failures(groups) + notes_on([row for _, rows in blocks for row in rows]),
    )


def _lines(block: Block, places: Sequence[Place]) -> list[Line]:
    groups, rows = block
    measured = [
        Line(
            label,
            group.first.encoder.label,
            tuple(group.cell(*place) for place in places),
        )
        for label, group in groups
    ]
    beside = published_lines(rows, places, tell_variant=False)
    # Sources name the encoder in their own ways; in a table it has one name.
    return [*measured, *(replace(line, encoder=measured[0].encoder) for line in beside)]


def _published(kind: Kind, variant: str, groups: Sequence[Named]) -> list[Published]:
    alike = published_alike([group for _, group in groups])
    return [row for row in alike if _belongs(row.protocol, kind, variant)]


def _places(kind: Kind, variant: str, blocks: Sequence[Block]) -> list[Place]:
    """Columns: protocols in the order of the results, their metrics in that of `words.HEADINGS`."""
    metrics_of: dict[str, set[str]] = {}
    for groups, rows in blocks:
        for _, group in groups:
            for protocol, metrics in group.protocols.items():
                if _belongs(protocol, kind, variant):
                    metrics_of.setdefault(protocol, set()).update(metrics)
        for row in rows:
            metrics_of[row.protocol].update(row.values)
    return [
        (protocol, metric)
        for protocol, metrics in metrics_of.items()
        for metric in sorted(metrics, key=lambda name: (words.metric_order(name), name))
    ]


def _variants(kind: Kind, groups: Sequence[Named]) -> set[str]:
    names = [name for _, group in groups for name in group.protocols]
    return {words.split_name(name)[1] for name in names if words.task_of(name) == kind}


def _belongs(protocol: str, kind: Kind, variant: str) -> bool:
    return (words.task_of(protocol), words.split_name(protocol)[1]) == (kind, variant)

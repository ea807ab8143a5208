"""The ablation table: what the losses and the group tokens are worth."""

from collections.abc import Sequence

from heap.benchmark.tables import words
from heap.benchmark.tables.about import about_data
from heap.benchmark.tables.groups import Group, base_of, changes, is_ablation
from heap.benchmark.tables.layout import Line, Table

_PLACES = (
    ("saliency-found-v1", "iou"),
    ("corloc-found-v1", "corloc"),
    ("region-oracle-v1", "iou_oracle"),
    ("regions-voc12-v1", "recall_10_features"),
    ("regions-voc12-v1", "recall_10_head"),
)
"""Protocols and metrics of the columns; those that nothing was evaluated by are left out."""
UNCHANGED = "nothing"


def ablation_tables(groups: Sequence[Group]) -> list[Table]:
    """A table for each method, encoder and data set of which several settings were tried."""
    families: dict[tuple[str, ...], list[Group]] = {}
    for each in groups:
        about = each.first
        key = (about.method.name, about.encoder.label, *map(str, each.data))
        families.setdefault(key, []).append(each)
    tables = (_table(family) for family in families.values())
    return [table for table in tables if len(table.lines) > 1]


def _table(family: Sequence[Group]) -> Table:
    base = base_of(family)
    shown = [base, *(each for each in family if is_ablation(base, each))]
    places = [place for place in _PLACES if any(place[0] in each.protocols for each in shown)]
    columns = tuple(words.column_of(*place) for place in places)
    lines = [
        Line(
            ", ".join(changes(base, each)) or UNCHANGED,
            each.first.encoder.label,
            tuple(each.cell(*place) for place in places),
        )
        for each in shown
    ]
    about = base.first
    return Table(
        "ablation",
        f"ablation-{about.method.name}-{about.encoder.label}-{about.data.label}",
        f"Ablation of {about.method.label}, {about.encoder.label}, {about.data.label}",
        about_data(base, columns),
        columns,
        tuple(line for line in lines if any(line.cells)),
        first="settings changed",
    )

"""Ablation table: the effect of the losses and of the group tokens."""

from collections.abc import Sequence

from heap.base.lookup import group_by
from heap.benchmark.tables import words
from heap.benchmark.tables.about import describe_data
from heap.benchmark.tables.groups import Group, base_of, changed_settings, is_ablation
from heap.benchmark.tables.layout import Line, Table

_PLACES = (
    ("saliency-found-v1", "iou"),
    ("corloc-found-v1", "corloc"),
    ("region-oracle-v1", "iou_oracle"),
    ("regions-voc12-v1", "recall_10_features"),
    ("regions-voc12-v1", "recall_10_head"),
)
"""Protocols and metrics of the columns; columns without any value are left out."""
UNCHANGED = "nothing"


def ablation_tables(groups: Sequence[Group]) -> list[Table]:
    """Make a table for every method, encoder and data set with several settings."""
    families = group_by(
        groups, lambda group: (group.first.method.name, group.first.encoder.label, group.data)
    )
    tables = (_table(family) for family in families.values())
    return [table for table in tables if len(table.lines) > 1]


def _table(family: Sequence[Group]) -> Table:
    base = base_of(family)
    shown = [base, *(group for group in family if is_ablation(base, group))]
    places = [place for place in _PLACES if any(place[0] in group.protocols for group in shown)]
    columns = tuple(words.column_of(*place) for place in places)
    lines = [
        Line(
            ", ".join(changed_settings(base, group)) or UNCHANGED,
            group.first.encoder.label,
            tuple(group.cell(*place) for place in places),
        )
        for group in shown
    ]
    about = base.first
    return Table(
        "ablation",
        f"ablation-{about.method.name}-{about.encoder.label}-{about.data.label}",
        f"Ablation of {about.method.label}, {about.encoder.label}, {about.data.label}",
        describe_data(base, columns),
        columns,
        tuple(line for line in lines if any(line.cells)),
        first="settings changed",
    )

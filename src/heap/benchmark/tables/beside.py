"""Published figures in tables: beside own figures of the same kind, or in tables of their own."""

from collections.abc import Sequence

from heap.base.lookup import group_by
from heap.benchmark.results.published import Published, read_published
from heap.benchmark.tables import words
from heap.benchmark.tables.groups import Group
from heap.benchmark.tables.layout import Cell, Line, Table

Place = tuple[str, str]
"""Protocol and metric of a column."""
NOT_STATED = "not stated"
"""Stands for an encoder that the source does not name."""


def published_alike(groups: Sequence[Group]) -> list[Published]:
    """Published figures for the data, encoder and protocols of any of the groups."""
    return [row for row in read_published() if any(_is_alike(row, group) for group in groups)]


def published_tables(kind: str, groups: Sequence[Group]) -> list[Table]:
    """Tables of the remaining published figures of one kind, one for every data set."""
    alike = published_alike(groups)
    rows = [
        row for row in read_published() if words.task_of(row.protocol) == kind and row not in alike
    ]
    return [
        _table(kind, [row for row in rows if row.data == data])
        for data in dict.fromkeys(row.data for row in rows)
    ]


def published_lines(
    rows: Sequence[Published], places: Sequence[Place], *, tell_variant: bool
) -> list[Line]:
    """Make a line for every method, encoder and variant, whatever the source.

    Args:
        rows: Figures to show.
        places: The columns; protocols are without their variants if `tell_variant`.
        tell_variant: Whether lines say which variant they are of.
    """
    by_line = group_by(
        rows,
        lambda row: (row.method, row.encoder or NOT_STATED, words.split_name(row.protocol)[1]),
    )
    return [
        _line(about, same, places, tell_variant=tell_variant) for about, same in by_line.items()
    ]


def notes_on(rows: Sequence[Published]) -> tuple[str, ...]:
    """Notes on published rows, every note once."""
    methods: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.note:
            methods.setdefault(row.note, {})[row.method] = None
    return tuple(f"{'; '.join(names)}: {note}" for note, names in methods.items())


def _line(
    about: tuple[str, str, str],
    rows: Sequence[Published],
    places: Sequence[Place],
    *,
    tell_variant: bool,
) -> Line:
    method, encoder, variant = about
    cells: dict[Place, Cell] = {}
    for row in rows:
        name = words.split_name(row.protocol)[0] if tell_variant else row.protocol
        cells |= {(name, metric): Cell(value) for metric, value in row.values.items()}
    variant_words = (
        words.variant_in_words(words.task_of(rows[0].protocol), variant) if tell_variant else ""
    )
    sources = dict.fromkeys(
        source if row.verified else f"{source}, not checked"
        for row in rows
        for source in row.source.split("; ")
    )
    return Line(method, encoder, tuple(map(cells.get, places)), variant_words, "; ".join(sources))


def _table(kind: str, rows: Sequence[Published]) -> Table:
    plain = {row.protocol: words.split_name(row.protocol)[0] for row in rows}
    protocols = list(dict.fromkeys(plain.values()))
    measured = {(plain[row.protocol], metric) for row in rows for metric in row.values}
    places = sorted(measured, key=lambda at: (protocols.index(at[0]), words.metric_order(at[1])))
    first = rows[0]
    return Table(
        kind,
        f"{kind}-published-{first.data}",
        f"{kind.capitalize()}, published, other encoder or data: {first.data_label}",
        (f"data: {first.data_label}, {first.images:,} images",),
        tuple(words.column_of(*place) for place in places),
        tuple(published_lines(rows, places, tell_variant=True)),
        notes=notes_on(rows),
    )


def _is_alike(row: Published, group: Group) -> bool:
    data, encoder = group.first.data, group.first.encoder
    return (
        (row.data, row.images) == (data.name, data.images)
        and row.alias in (encoder.label, encoder.name.rpartition("/")[2])
        and row.protocol in group.protocols
    )

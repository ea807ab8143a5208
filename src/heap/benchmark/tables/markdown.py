"""Tables as Markdown."""

import re
from collections.abc import Sequence

from heap.benchmark.results import Results
from heap.benchmark.tables.build import make_tables
from heap.benchmark.tables.layout import Cell, Column, Line, Table

LEGEND = (
    "Values of protocols are times 100. One seed: [low, high] is the 95 % interval over images. "
    "Several: ± is the sample standard deviation over them. Bold: the best that was measured "
    "with an encoder. ↓: less is better."
)
MEASURED = "measured"
NONE = "–"
_SPECIAL = re.compile(r"([\\|*_`<\[\]])")


def to_markdown_page(results: Sequence[Results], which: Sequence[str] | None = None) -> str:
    """Print the tables of some kinds (None: of all), and the commands that made the results.

    Raises:
        InputError: an unknown kind, or two results of the same seed and protocol.
    """
    parts = [LEGEND, *map(to_markdown, make_tables(results, which))]
    if commands := dict.fromkeys(result.command for result in results):
        parts.append("### Commands\n\n```\n" + "\n".join(commands) + "\n```")
    return "\n\n".join(parts) + "\n"


def to_markdown(table: Table) -> str:
    """Print one table with its title, its data and protocols, and its notes."""
    blocks = [f"### {_escape(table.title)}", _list(table.about), _grid(table), _list(table.notes)]
    return "\n\n".join(filter(None, blocks))


def cell_text(column: Column, cell: Cell | None) -> str:
    """Print a number with its uncertainty."""
    if cell is None:
        return NONE
    text = column.text(cell.value)
    if cell.deviation is not None:
        return f"{text} ± {column.text(cell.deviation)}"
    if cell.low is None or cell.high is None:
        return text
    return f"{text} [{column.text(cell.low)}, {column.text(cell.high)}]"


def _grid(table: Table) -> str:
    varied, sourced = (
        any(line.variant for line in table.lines),
        any(line.source is not None for line in table.lines),
    )
    texts = ["variant"] if varied else []
    heads = [_heading(column) for column in table.columns]
    head = [table.first, "encoder", *texts, *heads, *(["source"] if sourced else [])]
    ruler = ["---"] * (2 + len(texts)) + ["---:"] * len(heads) + ["---"] * sourced
    rows = [
        [
            _escape(line.method),
            _escape(line.encoder),
            *([_escape(line.variant or NONE)] if varied else []),
            *cells,
            *([_escape(line.source or MEASURED)] if sourced else []),
        ]
        for line, cells in zip(table.lines, _cells(table), strict=True)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def _cells(table: Table) -> list[list[str]]:
    best = [table.best(index) for index in range(len(table.columns))]

    def texts(line: Line) -> list[str]:
        cells = []
        for column, cell, top in zip(table.columns, line.cells, best, strict=True):
            text = cell_text(column, cell).replace("[", r"\[")
            cells.append(f"**{text}**" if line in top else text)
        return cells

    return [texts(line) for line in table.lines]


def _heading(column: Column) -> str:
    name = f"{column.heading} ↓" if column.least and column.ranked else column.heading
    return f"{name}<br>{column.protocol}" if column.protocol else name


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_escape(line)}" for line in lines)


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))

"""Tables as figures: a panel for every column, with a group of bars for every method."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from heap.base.files import replacing
from heap.base.lookup import group_by
from heap.benchmark.results import Results
from heap.benchmark.tables import Cell, Column, Line, Table, make_tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB")
"""Paul Tol's bright scheme, which all colour vision can tell apart; encoders have them in turn."""
_PUBLISHED_ALPHA = 0.35
_ACROSS = 4
"""Panels beside each other."""
_PANEL_INCHES, _NAMES_INCHES = 2.6, 3.2
_LINE_INCHES, _FRAME_INCHES = 0.24, 1.0
_BAR, _GAP = 0.9, 0.5
"""Height of a bar, and space between methods, where a bar has room of 1."""
_MARGIN = 0.7
"""Distance from the middle of the first and last bar to the frame."""
_LONGEST = 48
"""Letters of a method's name for which there is room."""


def write_charts(
    results: Sequence[Results], folder: Path, which: Sequence[str] | None = None
) -> list[Path]:
    """Write a PNG for every table of some kinds (None: of all); returns the paths.

    Published figures are hatched and lighter than own ones. Whiskers are the 95 % interval over
    images, or the standard deviation over seeds.

    Raises:
        InputError: an unknown kind, two results of the same seed and protocol, or a folder that
            cannot be written to.
    """
    import matplotlib

    taken: set[str] = set()
    written = []
    # A dollar sign in a label begins no formula. A letter that the font lacks is drawn as a box, of
    # which matplotlib would warn.
    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        for table in make_tables(results, which):
            path = folder / f"{_free_name(_stem(table.name), taken)}.png"
            figure = draw_table(table)
            with replacing(path) as file:
                # Without the version of matplotlib: the same results give the same bytes.
                figure.savefig(file, format="png", metadata={"Software": None})
            written.append(path)
    return written


def draw_table(table: Table) -> "Figure":
    """Draw a table as a figure; no display is needed."""
    from matplotlib.figure import Figure

    lines, places = _place_lines(table.lines)
    across = min(len(table.columns), _ACROSS)
    down = -(-len(table.columns) // _ACROSS)
    size = (
        _NAMES_INCHES + across * _PANEL_INCHES,
        down * (_FRAME_INCHES + places[-1] * _LINE_INCHES) + _FRAME_INCHES,
    )
    figure = Figure(figsize=size, dpi=120, layout="constrained", facecolor="white")
    axes = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for index, column in enumerate(table.columns):
        _panel(axes[index], column, list(zip(places, lines, strict=True)), index)
    for spare in axes[len(table.columns) :]:
        spare.set_axis_off()
    names = _names(lines, places)
    axes[0].set_yticks(list(names.values()), [_shorten(name) for name in names])
    axes[0].set_ylim(places[-1] + _MARGIN, -_MARGIN)
    figure.suptitle(table.title)
    _legend(figure, table.lines)
    return figure


def _panel(axes: "Axes", column: Column, lines: Sequence[tuple[float, Line]], index: int) -> None:
    colours = _colours([line for _, line in lines])
    for place, line in lines:
        if cell := line.cells[index]:
            axes.barh(
                place,
                cell.value * column.scale,
                height=_BAR,
                color=colours[line.encoder],
                edgecolor="white" if line.source is None else colours[line.encoder],
                alpha=None if line.source is None else _PUBLISHED_ALPHA,
                hatch=None if line.source is None else "///",
                xerr=_whiskers(cell, column),
                error_kw={"ecolor": "#333333", "elinewidth": 1, "capsize": 2},
            )
    axes.set_title(f"{column.heading}\n{column.protocol}", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _whiskers(cell: Cell, column: Column) -> list[list[float]] | None:
    if cell.deviation is not None:
        below = above = cell.deviation
    elif cell.low is not None and cell.high is not None:
        # The ends of a percentile interval need not lie on both sides of the value.
        below, above = max(cell.value - cell.low, 0), max(cell.high - cell.value, 0)
    else:
        return None
    return [[below * column.scale], [above * column.scale]]


def _legend(figure: "Figure", lines: Sequence[Line]) -> None:
    from matplotlib.patches import Patch

    entries = [Patch(color=colour, label=encoder) for encoder, colour in _colours(lines).items()]
    if any(line.source is not None for line in lines):
        entries.append(
            Patch(facecolor="white", edgecolor="#777777", hatch="///", label="published")
        )
    figure.legend(
        handles=entries, loc="outside lower center", ncols=min(len(entries), 5), fontsize=8
    )


def _colours(lines: Sequence[Line]) -> dict[str, str]:
    encoders = dict.fromkeys(line.encoder for line in lines)
    return {encoder: _COLOURS[at % len(_COLOURS)] for at, encoder in enumerate(encoders)}


def _place_lines(lines: Sequence[Line]) -> tuple[list[Line], list[float]]:
    """Lines with those of a method together, and the places of their bars."""
    groups = group_by(lines, _name)
    ordered, places, place = [], [], 0.0
    for group in groups.values():
        for line in group:
            ordered.append(line)
            places.append(place)
            place += 1
        place += _GAP
    return ordered, places


def _names(lines: Sequence[Line], places: Sequence[float]) -> dict[str, float]:
    """Middle of the bars of every method."""
    places_of: dict[str, list[float]] = {}
    for line, place in zip(lines, places, strict=True):
        places_of.setdefault(_name(line), []).append(place)
    return {name: mean(where) for name, where in places_of.items()}


def _name(line: Line) -> str:
    return f"{line.method}, {line.variant}" if line.variant else line.method


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _stem(name: str) -> str:
    return re.sub(r"[^\w-]+", "_", name).strip("_")


def _free_name(stem: str, taken: set[str]) -> str:
    """Return a file name that no other table has; some file systems ignore the case of letters."""
    number, name = 1, stem
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name

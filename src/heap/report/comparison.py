"""Pictures side by side: a row for each photo, a column for each way to look at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from heap.base.errors import InputError
from heap.base.files import replacing
from heap.masks.scaling import encode_image

CELL = 320
"""Side of the square that every panel fits in, in pixels."""
MAX_SIDE = 65_500
"""Longest side of a figure in pixels, which is that of a JPEG."""

_GAP = 10
_MARGIN = 20
_TITLE = 22
_HEADER = 40
_PAPER = "#FFFFFF"
_INK = "#222222"
_KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
_QUALITY = 90


@dataclass(frozen=True)
class Panel:
    """One picture of a row."""

    title: str
    """Title of its column."""
    pixels: UInt8[np.ndarray, "height width 3"] | None
    """At any size; None leaves the place empty."""


@dataclass(frozen=True)
class FigureRow:
    """Pictures to be compared; all rows of a figure have the same titles."""

    panels: tuple[Panel, ...]


def draw_figure(rows: Sequence[FigureRow], out: Path) -> None:
    """Write the figure that `compose` makes to a .jpg or .png file.

    Raises:
        InputError: if it is too large, cannot be written or is to be a file of another kind.
    """
    kind = file_kind(out)
    figure = encode_image(compose(rows), kind, quality=_QUALITY, optimize=True)
    with replacing(out) as file:
        file.write(figure)


def file_kind(out: Path) -> str:
    """Format of the file of a figure, by its name; to be asked before long work.

    Raises:
        InputError: if it is none that a figure can be.
    """
    kind = _KINDS.get(out.suffix.lower())
    if kind is None:
        raise InputError(f"the figure {out} cannot be written: name a .jpg or .png file")
    return kind


def compose(rows: Sequence[FigureRow]) -> Image.Image:
    """Make one picture of all rows, titles above the columns.

    The panels of a row get the same height, and every column the same width.

    Raises:
        ValueError: if there is no row or no panel, or the titles differ between rows.
        InputError: if it would have a side over `MAX_SIDE`.
    """
    titles = _common_titles(rows)
    heights = [_height(row) for row in rows]
    widths = [_widest(row, height) for row, height in zip(rows, heights, strict=True)]
    width = max(CELL // 2, *widths)  # Narrower columns would have no room for a title.
    figure = _blank_figure(len(titles), width, heights)
    _write_titles(figure, titles, width)
    top = _MARGIN + _HEADER
    for row, height in zip(rows, heights, strict=True):
        _place(figure, row, (width, height), top)
        top += height + _GAP
    return figure


def _common_titles(rows: Sequence[FigureRow]) -> tuple[str, ...]:
    titles = {tuple(panel.title for panel in row.panels) for row in rows}
    if len(titles) != 1 or () in titles:
        raise ValueError(f"a figure needs rows with the same titles, not {sorted(titles)}")
    return titles.pop()


def _height(row: FigureRow) -> int:
    """Largest height at which every panel fits into its cell."""
    shapes = [panel.pixels.shape for panel in row.panels if panel.pixels is not None]
    flattest = min((down / across for down, across, _ in shapes), default=0)
    return max(1, round(CELL * min(1, flattest)))


def _widest(row: FigureRow, height: int) -> int:
    return max(_width(panel.pixels, height) for panel in row.panels)


def _width(pixels: UInt8[np.ndarray, "height width 3"] | None, height: int) -> int:
    if pixels is None:
        return 0
    width: int = round(pixels.shape[1] * height / pixels.shape[0])
    return min(CELL, max(1, width))


def _blank_figure(columns: int, width: int, heights: Sequence[int]) -> Image.Image:
    across = _left(columns, width) - _GAP + _MARGIN
    down = 2 * _MARGIN + _HEADER + sum(heights) + _GAP * (len(heights) - 1)
    if max(across, down) > MAX_SIDE:
        raise InputError(
            f"a figure of {len(heights)} rows and {columns} columns would have {across} x {down} "
            f"pixels, and no side may be over {MAX_SIDE}: choose fewer photos or methods"
        )
    return Image.new("RGB", (across, down), _PAPER)


def _place(figure: Image.Image, row: FigureRow, cell: tuple[int, int], top: int) -> None:
    """Paste the panels of a row, each in the middle of its `cell` (width, height)."""
    for column, panel in enumerate(row.panels):
        if panel.pixels is not None:
            size = (_width(panel.pixels, cell[1]), cell[1])
            photo = Image.fromarray(panel.pixels).resize(size, Image.Resampling.LANCZOS)
            figure.paste(photo, (_left(column, cell[0]) + (cell[0] - size[0]) // 2, top))


def _left(column: int, width: int) -> int:
    return _MARGIN + column * (width + _GAP)


def _write_titles(figure: Image.Image, titles: Sequence[str], width: int) -> None:
    pen = ImageDraw.Draw(figure)
    for column, title in enumerate(titles):
        font = ImageFont.load_default(_TITLE)
        if (long := pen.textlength(title, font)) > width:
            font = ImageFont.load_default(_TITLE * width / long)
        middle = (_left(column, width) + width // 2, _MARGIN + _HEADER - _GAP)
        pen.text(middle, title, _INK, font, anchor="ms")

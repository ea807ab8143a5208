"""Figures that others have published, with their sources.

There is no figure of HEAP's own paper among them, because none could be checked against the paper.
The F-measure has three definitions, which are never compared: the name of the metric says which one
a source follows, and `max_f_unknown` that the source does not tell.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as checked

from heap.config import CHECKED, Fraction

_FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Published:
    """Values of one method on one data set by one protocol, as fractions."""

    method: str
    encoder: str | None
    """Encoder of its features; None where the source does not tell."""
    alias: str | None
    """Name of the same encoder in `heap models`."""
    data: str
    """Name of the data set in `heap datasets`."""
    data_label: str
    images: int
    """Images in the whole data set, which the values are of."""
    protocol: str
    values: dict[str, float]
    source: str
    verified: bool
    """Whether the values were checked in the source."""
    note: str


@checked(frozen=True, kw_only=True, config=CHECKED)
class _Data:
    label: str
    images: Annotated[int, Field(ge=1)]


@checked(frozen=True, kw_only=True, config=CHECKED)
class _Row:
    method: str
    encoder: str | None
    alias: str | None
    protocol: str
    source: str
    verified: bool
    note: str
    results: dict[str, dict[str, Fraction]]


@checked(frozen=True, kw_only=True, config=CHECKED)
class _File:
    data: dict[str, _Data]
    rows: tuple[_Row, ...]


@cache
def read_published() -> tuple[Published, ...]:
    """Read all published figures, in the order of the sources."""
    file = TypeAdapter(_File).validate_json(_FILE.read_bytes())
    return tuple(
        Published(data=name, values=values, **_about_data(file.data[name]), **_about(row))
        for row in file.rows
        for name, values in row.results.items()
    )


def _about_data(data: _Data) -> dict[str, Any]:
    return {"data_label": data.label, "images": data.images}


def _about(row: _Row) -> dict[str, Any]:
    names = ("method", "encoder", "alias", "protocol", "source", "verified", "note")
    return {name: getattr(row, name) for name in names}

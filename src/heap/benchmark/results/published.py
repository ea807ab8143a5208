"""What others have published, each figure with the source that says so.

There is no figure of HEAP's own paper among them: it could not be checked against the paper. The
F-measure goes by three definitions that are never compared: the name of the metric says which one a
source follows, `max_f_unknown` that it does not tell.
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
    """What its features come from; None where the source that was read does not tell."""
    alias: str | None
    """The same encoder as `heap models` lists it."""
    data: str
    """As `heap datasets` lists it."""
    data_label: str
    images: int
    """In the whole of the data set, which they are of."""
    protocol: str
    values: dict[str, float]
    source: str
    verified: bool
    """Whether the source was read; if not, the values are from memory."""
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
def published() -> tuple[Published, ...]:
    """All of them, in the order of the sources."""
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

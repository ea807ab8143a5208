"""State of a run, as far as corrections change it, and the difference between two of them."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field

import pyarrow as pa

from heap.store import schema
from heap.store.columns import decode_texts, read_rows
from heap.store.database import Database, find_table
from heap.store.redrawing import Rows, read_objects

CORRECTED = ("id", "category", "similarity", "rejected", "reviewed")
"""Columns of objects that corrections change, but for those of masks."""


@dataclass(frozen=True)
class State:
    """Objects and categories, the part of a run that corrections change."""

    objects: Rows
    """Some columns of the objects, but for those in `redrawn`."""
    categories: Rows
    redrawn: Rows = field(default_factory=dict)
    """All columns of the objects of images whose masks are corrected: there are too many masks to
    keep those of all images."""

    @classmethod
    def read(cls, database: Database, redrawn: Collection[str] = ()) -> "State":
        """Read the run as it is now, with the masks of the images in `redrawn`."""
        table = find_table(database, schema.OBJECTS)
        categories = find_table(database, schema.CATEGORIES)
        masks = read_objects(database, redrawn)
        objects = {} if table is None else _by_id(read_rows(table, [*CORRECTED]))
        return cls(
            {id: row for id, row in objects.items() if id not in masks},
            {} if categories is None else _by_id(categories.to_arrow()),
            masks,
        )

    def unlike(self, other: "State") -> "State":
        """Rows that the other state has not, or not so."""
        return State(
            _unlike(self.objects, other.objects),
            _unlike(self.categories, other.categories),
            _unlike(self.redrawn, other.redrawn),
        )

    def to_json(self) -> str:
        """Text that `from_json` reads; 32-bit floats come back bit for bit."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> "State":
        """Read the text of `to_json`."""
        return cls(**json.loads(text))


def _unlike(rows: Rows, others: Rows) -> Rows:
    return {id: row for id, row in rows.items() if others.get(id) != row}


def _by_id(table: pa.Table) -> Rows:
    ids = table["id"]
    if pa.types.is_string(ids.type):  # After flipped bits it may be no UTF-8.
        table = table.set_column(table.column_names.index("id"), "id", pa.array(decode_texts(ids)))
    return {str(row["id"]): row for row in table.to_pylist()}

"""Rows of the store in the order of keys, a bounded number of them in memory at a time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from heap.base.errors import StoreError
from heap.store.database import Table, reading
from heap.store.rows import Row

BLOCK = 128
"""Images that are read together."""


class KeyIndex:
    """Where the rows of each key are, in the version of a table that is current when it is made."""

    def __init__(self, table: Table | None, where: str | None = None) -> None:
        self._table = table
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        if table is not None:
            found = rows(table, ["key"], where, with_row_id=True)
            for key, place in zip(texts(found["key"]), found["_rowid"].to_pylist(), strict=True):
                self._places[key].append(place)

    def keys(self) -> list[str]:
        """All keys, in order."""
        return sorted(self._places)

    def among(self, keys: Sequence[str]) -> list[str]:
        """Those of `keys` that have rows."""
        return [key for key in keys if key in self._places]

    def take(self, keys: Sequence[str]) -> dict[str, list[Row]]:
        """The complete rows of `keys`."""
        places = [place for key in keys for place in self._places.get(key, ())]
        taken: dict[str, list[Row]] = {key: [] for key in keys}
        if self._table is not None and places:
            for row in self._table.take_row_ids(places).to_arrow().to_pylist():
                taken[row["key"]].append(row)
        return taken

    def readable(self, keys: Sequence[str]) -> dict[str, list[Row]]:
        """The same, without the rows of those keys for which they cannot be read."""
        try:
            with reading("a block"):
                return self.take(keys)
        except StoreError:
            if len(keys) == 1:
                return {keys[0]: []}
        half = len(keys) // 2
        return self.readable(keys[:half]) | self.readable(keys[half:])


def texts(column: pa.ChunkedArray) -> list[str]:
    """The texts of a column, empty where there is none.

    Where bits have flipped they may be no UTF-8, which is replaced.
    """
    return [
        (cell or b"").decode("utf-8", "replace") for cell in column.cast(pa.binary()).to_pylist()
    ]


def rows(
    table: Table, columns: list[str], where: str | None = None, *, with_row_id: bool = False
) -> pa.Table:
    """Some columns of the rows that fit the filter `where`."""
    query = table.search().select(columns).with_row_id(with_row_id)
    return (query if where is None else query.where(where)).to_arrow()


def vectors(found: pa.Table) -> Float32[np.ndarray, "object dim"]:
    """The embeddings in rows of the table of objects."""
    flat = found["vector"].combine_chunks().flatten().to_numpy()
    return np.asarray(flat.reshape(found.num_rows, -1), dtype=np.float32)


def directions(vectors: Float32[np.ndarray, "object dim"]) -> Float32[np.ndarray, "object dim"]:
    """Vectors scaled to length 1; zero vectors stay zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), dtype=np.float32)


def width(objects: Table | None) -> int:
    """How many numbers an embedding has; 0 where no object was ever found."""
    return 0 if objects is None else int(objects.schema.field("vector").type.list_size)


def joined(
    images: Table, objects: Table | None, run: object
) -> Iterator[tuple[str, list[Row], list[Row]]]:
    """Each finished image's key, its rows and those of its objects, in order.

    There is one row of an image that is whole; what cannot be read is not there.

    Raises:
        StoreError: if the tables cannot be read at all.
    """
    with reading(run):
        left, right = KeyIndex(images, "status != 'failed'"), KeyIndex(objects)
        keys = left.keys()
    for start in range(0, len(keys), BLOCK):
        block = keys[start : start + BLOCK]
        found, parts = left.readable(block), right.readable(block)
        for index, taken in ((left, found), (right, parts)):
            if len(index.among(block)) > 1 and not any(taken.values()):
                raise StoreError(
                    f"the store of {run} is damaged (nothing from {block[0]!r} to {block[-1]!r} "
                    f"can be read); delete {run} to start again"
                )
        for key in block:
            yield key, found[key], sorted(parts[key], key=_place)


def _place(row: Row) -> int:
    return int(row["index"])

"""Rows of the store in the order of keys, a bounded number of them in memory at a time."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from heap.base.errors import StoreError
from heap.store.database import Table, reading
from heap.store.rows import Row

BLOCK = 128
"""Images that are read together."""


class KeyIndex:
    """Row ids of every key, in the version of a table that is current when this is made."""

    def __init__(self, table: Table | None, where: str | None = None) -> None:
        self._table = table
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        if table is not None:
            located = read_rows(table, ["key"], where, with_row_id=True)
            for key, place in zip(
                decode_texts(located["key"]), located["_rowid"].to_pylist(), strict=True
            ):
                self._places[key].append(place)

    def keys(self) -> list[str]:
        """All keys, in order."""
        return sorted(self._places)

    def among(self, keys: Sequence[str]) -> list[str]:
        """Keys among `keys` that have rows."""
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
        """The same, but keys whose rows cannot be read have none."""
        try:
            with reading("a block"):
                return self.take(keys)
        except StoreError:
            if len(keys) == 1:
                return {keys[0]: []}
        # One damaged row makes the whole read fail: halving leads to it, and the rest is saved.
        half = len(keys) // 2
        return self.readable(keys[:half]) | self.readable(keys[half:])


def decode_texts(column: pa.ChunkedArray) -> list[str]:
    """The texts of a column, empty where there is none.

    After flipped bits they may not be valid UTF-8; what cannot be decoded is replaced.
    """
    return [
        (cell or b"").decode("utf-8", "replace") for cell in column.cast(pa.binary()).to_pylist()
    ]


def read_rows(
    table: Table, columns: list[str], where: str | None = None, *, with_row_id: bool = False
) -> pa.Table:
    """Columns of the rows that fit the filter `where`."""
    query = table.search().select(columns).with_row_id(with_row_id)
    return (query if where is None else query.where(where)).to_arrow()


def to_vectors(table: pa.Table) -> Float32[np.ndarray, "object dim"]:
    """The embeddings in rows of the table of objects."""
    vectors = table["vector"].combine_chunks()
    flat = vectors.flatten().to_numpy()
    return np.asarray(flat.reshape(-1, vectors.type.list_size), dtype=np.float32)


def unit_vectors(
    to_vectors: Float32[np.ndarray, "object dim"],
) -> Float32[np.ndarray, "object dim"]:
    """Vectors scaled to length 1; zero vectors stay zero."""
    length = np.linalg.norm(to_vectors, axis=1, keepdims=True)
    return np.asarray(to_vectors / np.maximum(length, 1e-12), dtype=np.float32)


def embedding_dim(objects: Table | None) -> int:
    """Length of the embeddings; 0 where no object was ever found."""
    return 0 if objects is None else int(objects.schema.field("vector").type.list_size)


def join_by_key(
    images: Table, objects: Table | None, run: object, wanted: Collection[str] | None = None
) -> Iterator[tuple[str, list[Row], list[Row]]]:
    """Yield the key of every finished image, its rows and those of its objects, in order.

    Only those that are wanted, if these are named.

    An undamaged image has exactly one row; rows that cannot be read are missing.

    Raises:
        StoreError: if the tables cannot be read at all.
    """
    with reading(run):
        left, right = KeyIndex(images, "status != 'failed'"), KeyIndex(objects)
        keys = left.keys() if wanted is None else left.among(sorted(wanted))
    for start in range(0, len(keys), BLOCK):
        block = keys[start : start + BLOCK]
        read, parts = left.readable(block), right.readable(block)
        for index, taken in ((left, read), (right, parts)):
            # Single rows may be damaged. If nothing of a block can be read the whole table is, and
            # to go on would report every image of the run as never worked on.
            if len(index.among(block)) > 1 and not any(taken.values()):
                raise StoreError(
                    f"the store of {run} is damaged (nothing from {block[0]!r} to {block[-1]!r} "
                    f"can be read); delete {run} to start again"
                )
        for key in block:
            yield key, read[key], sorted(parts[key], key=_place)


def _place(row: Row) -> int:
    return int(row["index"])

"""Table of objects without its damaged rows: each row has a checksum, and all of them are compared.

The checksum of a row is a sum over its columns, modulo 2^64, of an odd number for the column times
the bits of its cell, so that any single flipped bit changes it, and so does any other damage but
for one case in 2^32. A correction adds the difference that it makes: damage in the row stays to be
seen. Bits of text are its CRC-32; those of an embedding are a like sum over its numbers.
"""

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64, UInt64

from heap.base.errors import StoreError
from heap.store.columns import decode_texts, read_rows
from heap.store.database import Table, reading

CHECKSUM = "checksum"
_BLOCK = 16_384
"""Objects that are compared at a time, to bound memory."""
_BITS = {1: np.uint8, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True)
class CheckedObjects:
    """The objects of a run as they were at one moment, without damaged ones."""

    table: Table
    """As it is stored."""
    damaged: tuple[int, ...]
    """Row ids of what is left out."""
    keys: tuple[str, ...]
    """Of the images of these, as far as they can be read."""

    def read(
        self, columns: list[str], where: str | None = None, *, with_row_id: bool = False
    ) -> pa.Table:
        """Columns of the objects that fit the filter `where`."""
        condition = self.condition(where) or None
        return read_rows(self.table, columns, condition, with_row_id=with_row_id)

    def blocks(self, columns: list[str], where: str | None = None) -> Iterator[pa.Table]:
        """Yield the same a block at a time, in any order, so that any number fits in memory."""
        query = self.table.search().select(columns)
        if condition := self.condition(where):
            query = query.where(condition)
        for block in query.to_batches(_BLOCK):
            yield pa.Table.from_batches([block])

    def count(self, where: str | None = None) -> int:
        """Number of objects that fit the filter `where`."""
        return int(self.table.count_rows(self.condition(where) or None))

    def condition(self, *conditions: str | None) -> str:
        """Filter, for the table, of the objects that fit all conditions; empty for all of them."""
        wanted = [f"({condition})" for condition in conditions if condition is not None]
        if self.damaged:
            wanted.append(f"_rowid NOT IN ({', '.join(map(str, self.damaged))})")
        return " AND ".join(wanted)


def check(table: Table) -> CheckedObjects:
    """Compare the checksum of every row with what is in it."""
    columns, damaged, keys = table.schema.names, list[int](), set[str]()
    query = table.search().select(columns).with_row_id(True)
    try:
        with reading("a block"):
            blocks = [_damage(pa.Table.from_batches([block])) for block in query.to_batches(_BLOCK)]
    except StoreError:
        # One row that cannot be decoded makes the whole read fail.
        places = read_rows(table, [CHECKSUM], with_row_id=True)["_rowid"].to_pylist()
        blocks = [
            _damage_among(table, places[start : start + _BLOCK])
            for start in range(0, len(places), _BLOCK)
        ]
    for rows, owners in blocks:
        damaged += rows
        keys.update(owners)
    return CheckedObjects(table, tuple(damaged), tuple(sorted(keys)))


def _damage(block: pa.Table) -> tuple[list[int], list[str]]:
    """Row ids and keys of the damaged rows of a block."""
    places, block = block["_rowid"], block.drop_columns(["_rowid"])
    stored = block[CHECKSUM].combine_chunks()
    wrong = np.flatnonzero(
        (stored.fill_null(0).to_numpy() != checksums(block)) | stored.is_null().to_numpy(False)
    )
    return places.take(wrong).to_pylist(), decode_texts(block["key"].take(wrong))


def _damage_among(table: Table, places: Sequence[int]) -> tuple[list[int], list[str]]:
    try:
        with reading("a block"):
            rows = table.take_row_ids(list(places)).with_row_id().to_arrow()
            return _damage(rows)
    except StoreError:
        if len(places) == 1:
            return [*places], []
    half = len(places) // 2
    parts = [_damage_among(table, places[:half]), _damage_among(table, places[half:])]
    return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]


def checksums(rows: pa.Table) -> Int64[np.ndarray, " object"]:
    """Checksums of rows of the table of objects, of those columns that are there."""
    total = np.zeros(rows.num_rows, dtype=np.uint64)
    for name in rows.column_names:
        if name != CHECKSUM:
            (factor,) = _odd_numbers(name, 1)
            total += factor * _bits(name, rows[name])
    return np.asarray(total.view(np.int64))


def with_checksums(rows: pa.Table) -> pa.Table:
    """Rows with the column of their checksums filled in."""
    place = rows.schema.get_field_index(CHECKSUM)
    return rows.set_column(place, rows.schema.field(place), [pa.array(checksums(rows))])


def replace_columns(table: Table, columns: pa.Table) -> None:
    """Replace the given columns of the objects whose `id` is in `columns`, each once."""
    before = read_rows(table, [*columns.column_names, CHECKSUM])
    places = pc.index_in(columns["id"], before["id"].combine_chunks())
    after, before = columns.filter(places.is_valid()), before.take(places.drop_null())
    if after.num_rows:
        changed = before.select(after.column_names)
        after = after.cast(changed.schema)
        sums = before[CHECKSUM].combine_chunks().fill_null(0).to_numpy()
        sums = sums + (checksums(after) - checksums(changed))
        after = after.append_column(CHECKSUM, pa.array(sums, pa.int64()))
        table.merge_insert("id").when_matched_update_all().execute(after)


def _bits(name: str, column: pa.ChunkedArray) -> UInt64[np.ndarray, " object"]:
    cells = column.combine_chunks()
    if pa.types.is_fixed_size_list(cells.type):
        dim = cells.type.list_size
        numbers = cells.flatten().to_numpy().view(np.uint32).reshape(-1, dim)
        sums = numbers.astype(np.uint64) @ _odd_numbers(f"numbers of {name}", dim)
        return np.asarray(sums, dtype=np.uint64)
    if pa.types.is_string(cells.type):
        texts = cells.cast(pa.binary()).to_pylist()
        return np.fromiter(map(zlib.crc32, texts), np.uint64, len(texts))
    if pa.types.is_boolean(cells.type):
        cells = cells.cast(pa.uint8())
    known = cells.is_valid().to_numpy(zero_copy_only=False)
    numbers = cells.fill_null(0).to_numpy()
    bits = numbers.view(_BITS[numbers.itemsize]).astype(np.uint64)
    (unknown,) = _odd_numbers(f"null in {name}", 1)
    return np.asarray(np.where(known, bits, unknown), dtype=np.uint64)


def _odd_numbers(name: str, count: int) -> UInt64[np.ndarray, " number"]:
    """Odd numbers of 64 bits that are the same on every machine."""
    random = hashlib.shake_128(name.encode()).digest(8 * count)
    return np.frombuffer(random, "<u8").astype(np.uint64) | np.uint64(1)

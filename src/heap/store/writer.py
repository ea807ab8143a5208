"""Writer of a store; a kill at any moment costs no more than the chunk that is being written.

The objects of a chunk are written before its images, and an image without a row counts as not
worked on: objects that a kill left without an image are removed before the next chunk is written.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from heap.images.failures import Failure
from heap.store import schema
from heap.store.checked import with_checksums
from heap.store.columns import decode_texts, read_rows
from heap.store.database import Database, Table, find_table
from heap.store.lance import release_memory
from heap.store.records import Finished
from heap.store.redrawing import read_objects, redraw
from heap.store.rows import image_row, object_rows
from heap.store.texts import quote

_FIRST_COMPACTION = 2048
"""Images; each later compaction waits until the store has doubled, so that all cost O(images)."""
READERS = timedelta(minutes=10)
"""Time that files of an earlier version are kept for those who are reading it."""
_KEYS_PER_FILTER = 200
"""Keys in one condition; so that its text stays short."""


class Writer:
    """The only writer of a store; call `recover` before anything else."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._images = database.open_table(schema.IMAGES)
        self._objects = find_objects(database, self._images)
        self._begun = set(decode_texts(read_rows(self._images, ["key"])["key"]))
        """Keys that may have rows."""
        self._orphans = self._find_orphans()
        self._added, self._next_compaction = 0, max(_FIRST_COMPACTION, len(self._begun))

    def recover(self) -> None:
        """Remove the objects of images that were never finished, which a kill has left."""
        if self._objects is not None:
            _delete(self._objects, self._orphans)

    def add(self, records: Sequence[Finished | Failure]) -> None:
        """Store one chunk; keys that are already there are replaced."""
        if not records:
            return
        latest = {record.key: record for record in records}
        known = latest.keys() & self._begun
        self._remove(known)
        self._begun |= latest.keys()
        finished = [record for record in latest.values() if isinstance(record, Finished)]
        objects = [row for record in finished for row in object_rows(record)]
        if objects:
            table = self._objects_table(finished[0].result.objects.embeddings.shape[1])
            table.add(with_checksums(pa.Table.from_pylist(objects, schema=table.schema)))
        images = [image_row(record) for record in latest.values()]
        self._images.add(pa.Table.from_pylist(images, schema=schema.IMAGES_SCHEMA))
        self._added += len(latest)
        if self._added >= self._next_compaction:
            self.compact()

    def move(self, places: Mapping[str, tuple[str, str]]) -> None:
        """Set source and stamp of images, by their keys."""
        # Whole rows, few at a time: with three columns alone LanceDB reads all of the table, which
        # takes 1.2 GB for 10,000 images.
        for among in _filters(places):
            rows = read_rows(self._images, self._images.schema.names, among)
            moved = [
                row | dict(zip(("source", "stamp"), places[row["key"]], strict=True))
                for row in rows.to_pylist()
            ]
            merge = self._images.merge_insert("key").when_matched_update_all()
            merge.execute(pa.Table.from_pylist(moved, schema=rows.schema))

    def update_vectors(self, key: str, vectors: Mapping[str, Float32[np.ndarray, " dim"]]) -> None:
        """Set the embeddings of objects of an image, by their ids."""
        rows = read_objects(self._database, [key])
        fresh = {id: {"vector": row.tolist(), "outdated": False} for id, row in vectors.items()}
        redraw(self._database, key, [rows[id] | cells for id, cells in fresh.items()])
        # These tables are open in an earlier version.
        self._images = self._database.open_table(schema.IMAGES)
        self._objects = find_objects(self._database, self._images)

    def drop(self, keys: Collection[str]) -> None:
        """Remove images with their objects."""
        self._remove(keys)
        self._begun -= set(keys)

    def compact(self) -> None:
        """Merge the small files of the chunks, and remove what nobody can be reading any more."""
        for table in (self._images, self._objects):
            if table is not None:
                # Only this process writes here, so no unverified file is another's work.
                table.optimize(cleanup_older_than=READERS, delete_unverified=True)
        release_memory()
        self._added, self._next_compaction = 0, max(_FIRST_COMPACTION, len(self._begun))

    def _objects_table(self, dim: int) -> Table:
        if self._objects is None:
            self._objects = self._database.create_table(
                schema.OBJECTS, schema=schema.objects_schema(dim)
            )
        return self._objects

    def _find_orphans(self) -> set[str]:
        if self._objects is None:
            return set()
        return set(decode_texts(read_rows(self._objects, ["key"])["key"])) - self._begun

    def _remove(self, keys: Iterable[str]) -> None:
        """Images first: a kill between the two leaves objects without an image, not the reverse."""
        _delete(self._images, keys)
        if self._objects is not None:
            _delete(self._objects, keys)


def find_objects(database: Database, images: Table) -> Table | None:
    """The table of objects; None where there are none, ValueError where it is gone."""
    table = find_table(database, schema.OBJECTS)
    if table is None and images.count_rows("objects > 0"):
        raise ValueError("the table of objects is gone")
    return table


def _delete(table: Table, keys: Iterable[str]) -> None:
    for among in _filters(keys):
        table.delete(among)


def _filters(keys: Iterable[str]) -> Iterator[str]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _KEYS_PER_FILTER):
        names = ", ".join(map(quote, ordered[start : start + _KEYS_PER_FILTER]))
        yield f"key IN ({names})"

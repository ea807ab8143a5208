"""Contents of the store of a run, as they are at the moment."""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from heap.images.failures import Failure
from heap.results import ImageResult
from heap.store import schema
from heap.store.checked import CheckedObjects, check
from heap.store.columns import KeyIndex, decode_texts, embedding_dim, join_by_key, read_rows
from heap.store.database import Database, Table, find_table, reading
from heap.store.records import Counts, Finished, Stored
from heap.store.rows import to_failure, to_finished
from heap.store.writer import find_objects

logger = logging.getLogger(__name__)


def damage_of(run: object, key: str, error: Exception) -> str:
    """Message that what is stored of one image is damaged."""
    return (
        f"{run}: what is stored of {key!r} is damaged ({error}) and is left out; `heap discover` "
        "with the same images does it again"
    )


class StoreReader:
    """Questions to a store.

    All methods raise `StoreError` if the store is damaged. Where that is only what is stored of
    some images, these are left out and named, and count as images that were never worked on.
    """

    def __init__(self, run: Path | str, database: Database) -> None:
        self.run = run
        self.database = database
        """The connection, for code that writes; all other code reads by `table` and `find`."""
        self._checked: CheckedObjects | None = None
        self._damaged: set[str] = set()
        """Keys of the images that were left out because their rows are damaged."""

    def finished(self) -> set[str]:
        """Keys of the images that need no more work, failed ones included."""
        with reading(self.run):
            stored = set(decode_texts(read_rows(self.table(schema.IMAGES), ["key"])["key"]))
        return stored - self._damaged

    def stored(self) -> list[Stored]:
        """Place and content of every image, failed ones included, in the order of keys.

        Damaged ones are left out: not even their keys can be relied on.
        """
        columns = ["key", "source", "digest", "stamp", "status"]
        with reading(self.run):
            columns_read = read_rows(self.table(schema.IMAGES), columns)
            cells = sorted(
                zip(*(decode_texts(columns_read[name]) for name in columns), strict=True)
            )
        return [
            Stored(key, source, digest, stamp, failed=status == "failed")
            for key, source, digest, stamp, status in cells
            if key not in self._damaged
        ]

    def results(self) -> Iterator[ImageResult]:
        """All results in the order of keys, a block at a time in memory."""
        return (record.result for record in self.records())

    def records(self, keys: Collection[str] | None = None) -> Iterator[Finished]:
        """All results, or those of `keys`, with thumbnails and notes, in the order of keys."""
        with reading(self.run):
            images = self.table(schema.IMAGES)
            objects = find_objects(self.database, images)
            dim = embedding_dim(objects)
        for key, image_rows, parts in join_by_key(images, objects, self.run, keys):
            with reading(self.run):
                try:
                    (image,) = image_rows
                    record = to_finished(image, parts, dim)
                except (ValueError, TypeError) as error:
                    self._leave_out(key, error)
                    continue
            yield record

    def failures(self) -> Iterator[Failure]:
        """The images that could not be worked on, in the order of keys."""
        with reading(self.run):
            index = KeyIndex(self.table(schema.IMAGES), "status = 'failed'")
        for key, key_rows in index.readable(index.keys()).items():
            with reading(self.run):
                try:
                    (row,) = key_rows
                    failure = to_failure(row)
                except (ValueError, TypeError) as error:
                    self._leave_out(key, error)
                    continue
            yield failure

    def _leave_out(self, key: str, error: Exception) -> None:
        if key not in self._damaged:
            logger.error("%s", damage_of(self.run, key, error))
        self._damaged.add(key)

    def counts(self) -> Counts:
        """Numbers of images and objects that the run holds so far."""
        with reading(self.run):
            images = read_rows(self.table(schema.IMAGES), ["status", "objects"])
            status = images["status"].to_pylist()
            return Counts(
                done=status.count("done"),
                empty=status.count("empty"),
                failed=status.count("failed"),
                objects=sum(filter(None, images["objects"].to_pylist())),
            )

    def notes(self) -> Counter[str]:
        """Number of images with each note, such as "first of 3 frames"."""
        with reading(self.run):
            notes = read_rows(self.table(schema.IMAGES), ["note"])["note"].to_pylist()
        return Counter(filter(None, notes))

    @property
    def model(self) -> str:
        """Name that the model was loaded by: embedded, a folder or a hub name; may be empty."""
        with reading(self.run):
            return str(self.table(schema.CONFIG).to_arrow()["model"][0].as_py() or "")

    def checked_objects(self) -> CheckedObjects | None:
        """The objects as they are now, or None if nothing was written to their table yet.

        Every row is compared with its checksum, once for each version of the table; damaged ones
        are left out and named. With embeddings of 192 numbers that takes about 0.3 seconds for
        100,000 objects.
        """
        table = self.find(schema.OBJECTS)
        if table is None:
            return None
        if self._checked is None or self._checked.table.version != table.version:
            with reading(self.run):
                self._checked = check(table)
            for key in self._checked.keys:
                self._leave_out(key, ValueError("a row of its objects has changed"))
        return self._checked

    def find(self, name: str) -> Table | None:
        """One of the store's tables as it is now, or None if nothing was written to it yet."""
        with reading(self.run):
            return find_table(self.database, name)

    def table(self, name: str) -> Table:
        """One of the store's LanceDB tables as it is now, see `heap.store.schema`."""
        with reading(self.run):
            return self.database.open_table(name)

    def outdated(self) -> dict[str, list[tuple[str, tuple[float, ...]]]]:
        """Objects whose embedding is of an earlier mask, with their boxes, by their images."""
        objects, boxes = self.checked_objects(), defaultdict[str, list[Any]](list)
        if objects is not None:
            columns = ["id", "key", "x1", "y1", "x2", "y2"]
            with reading(self.run):
                for id, key, *box in zip(
                    *objects.read(columns, "outdated").to_pydict().values(), strict=True
                ):
                    boxes[key].append((id, tuple(box)))
        return dict(boxes)

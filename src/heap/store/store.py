"""The store of a run: results go in by chunks, survive a kill, and come out in key order."""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from heap.base.errors import ConfigError, StoreError
from heap.base.lock import Closing, RunLock
from heap.base.progress import OnProgress, silent
from heap.base.timing import timed
from heap.config import differing_keys
from heap.images.failures import Failure
from heap.results import ImageResult
from heap.store import place, schema
from heap.store.checked import CheckedObjects, check
from heap.store.columns import KeyIndex, decode_texts, embedding_dim, join_by_key, read_rows
from heap.store.database import (
    Database,
    Table,
    connect,
    create_tables,
    find_table,
    read_config,
    reading,
    to_plain,
    writing,
)
from heap.store.history import roll_back
from heap.store.index import refresh_index
from heap.store.migration import migrate
from heap.store.records import Counts, Finished, Stored
from heap.store.rows import to_failure, to_finished
from heap.store.writer import Writer, find_objects

logger = logging.getLogger(__name__)


def damage_of(run: object, key: str, error: Exception) -> str:
    """Message that what is stored of one image is damaged."""
    return (
        f"{run}: what is stored of {key!r} is damaged ({error}) and is left out; `heap discover` "
        "with the same images does it again"
    )


class RunStore(Closing):
    """The results of one run, in `store` under the run's folder or object-store URL.

    Use `open` to read and `create_or_open` to write. A store is a context manager; one that writes
    holds the lock of its run until it is closed. An object store has no lock: let one process at a
    time write there.

    All methods raise `StoreError` if the store is damaged. Where that is only what is stored of
    some images, these are left out and named, and count as images that were never worked on.
    """

    def __init__(self, run: Path | str, database: Database, lock: RunLock | None = None) -> None:
        self.run = run
        self.database = database
        """The connection, for code that writes; all other code reads by `table` and `find`."""
        self._lock = lock
        self._writer: Writer | None = None
        self._checked: CheckedObjects | None = None
        self._damaged: set[str] = set()
        """Keys of the images that were left out because their rows are damaged."""
        since, config = read_config(database, run)
        self.config: dict[str, Any] = config
        """The complete configuration that the run was made with."""
        if since < schema.SCHEMA_VERSION:
            self._migrate(since)

    @classmethod
    def open(cls, run: Path | str) -> "RunStore":
        """Open a run for reading.

        A store of an earlier schema version is brought up to date first.

        Raises:
            StoreError: if there is no run, or a damaged one, or one of a newer schema version.
            BusyError: if it is of an earlier version, and another process is writing there.
        """
        folder = place.folder_of(run)
        if folder is not None and not place.has_store(folder):
            raise StoreError(f"{run} holds no run; give a folder that `heap discover` has written")
        with reading(run):
            database = connect(place.store_url(run))
        return cls(run, database)

    @classmethod
    def create_or_open(
        cls, run: Path | str, config: Mapping[str, Any], model: str = ""
    ) -> "RunStore":
        """Make the store of a new run, or open that of an unfinished one, for writing.

        A new one notes where its `model` can be loaded again.

        Raises:
            BusyError: if another process is writing there.
            InputError: if the folder holds something else or cannot be written.
            ConfigError: if the run was made with another configuration; names the differing keys.
            StoreError: if the store is damaged or of a newer schema version.
        """
        wanted = to_plain(config)
        folder = place.folder_of(run)
        if folder is None:
            return cls._create_or_open(run, wanted, model, None)
        place.prepare_folder(folder)
        lock = RunLock(folder)
        try:
            with writing(run):
                place.make_store(folder, lambda at: create_tables(connect(at), wanted, model))
            return cls._create_or_open(run, wanted, model, lock)
        except BaseException:
            lock.close()
            raise

    @classmethod
    def _create_or_open(
        cls, run: Path | str, config: Mapping[str, Any], model: str, lock: RunLock | None
    ) -> "RunStore":
        with writing(run):
            database = connect(place.store_url(run))
            if lock is None and find_table(database, schema.CONFIG) is None:
                create_tables(database, config, model)
        store = cls(run, database, lock)
        if keys := differing_keys(store.config, config):
            raise ConfigError(
                f"{run} holds a run with another configuration: {', '.join(keys)}; choose another "
                f"--out, or delete {run} to start again"
            )
        store._start_writing()
        return store

    def _migrate(self, since: int) -> None:
        folder = place.folder_of(self.run)
        lock = None if self._lock or folder is None else RunLock(folder)
        try:
            with writing(self.run):
                # Another process may have done it while this one waited for the lock.
                migrate(self.database, max(since, read_config(self.database, self.run)[0]))
        finally:
            if lock is not None:
                lock.close()

    def _start_writing(self) -> None:
        with writing(self.run):
            # Before anything is added: a correction that was cut short goes back to old versions.
            roll_back(self.database)
        with reading(self.run):
            writer = Writer(self.database)
        with writing(self.run):
            writer.recover()
        for _ in chain(self.records(), self.failures()):
            pass  # Reading everything once shows which images are damaged.
        self.checked_objects()
        self._writer = writer

    def tell(self, progress: object) -> None:
        """Tell other processes how far the work is, if this store holds a lock."""
        if self._lock is not None:
            self._lock.tell(progress)

    def close(self) -> None:
        """Release the lock, if this store holds one; it cannot be written any more."""
        self._writer = None
        if self._lock is not None:
            self._lock.close()

    @timed("store")
    def add(self, records: Sequence[Finished | Failure]) -> None:
        """Store one chunk of images; those that are already there are replaced.

        Raises:
            WriteError, StoreError: if it cannot be written; what was added before is not affected.
        """
        with writing(self.run):
            self._writing().add(records)
        self._damaged -= {record.key for record in records}

    def move(self, places: Mapping[str, tuple[str, str]]) -> None:
        """Set the places of images and their stamps there, by their keys.

        Raises:
            WriteError, StoreError: if it cannot be written.
        """
        with writing(self.run):
            self._writing().move(places)

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

    def update_vectors(self, key: str, vectors: Mapping[str, Float32[np.ndarray, " dim"]]) -> None:
        """Set the embeddings of objects of an image, by their ids; they are up to date then.

        Raises:
            WriteError, StoreError: if they cannot be written.
        """
        with writing(self.run):
            self._writing().update_vectors(key, vectors)

    def drop(self, keys: Collection[str]) -> None:
        """Remove images with their objects.

        Raises:
            WriteError, StoreError: if it cannot be written.
        """
        with writing(self.run):
            self._writing().drop(keys)

    @timed("store")
    def compact(self, on_progress: OnProgress = silent) -> None:
        """Tidy up after a run: few files, and no earlier versions that others could be reading.

        The index of very many objects is brought up to date, see `heap.store.index`.
        """
        with writing(self.run):
            self._writing().compact()
            refresh_index(self.database, on_progress)

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

    def _writing(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"{self.run} is open for reading only")
        return self._writer

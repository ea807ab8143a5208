"""The store of a run: results go in by chunks, survive a kill, and come out in key order."""

from collections.abc import Collection, Mapping, Sequence
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
from heap.store import place, schema
from heap.store.database import (
    Database,
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
from heap.store.reader import StoreReader
from heap.store.records import Finished
from heap.store.writer import Writer


class RunStore(StoreReader, Closing):
    """The results of one run, in `store` under the run's folder or object-store URL.

    Use `open` to read and `create_or_open` to write. A store is a context manager; one that writes
    holds the lock of its run until it is closed. An object store has no lock: let one process at a
    time write there.
    """

    def __init__(self, run: Path | str, database: Database, lock: RunLock | None = None) -> None:
        super().__init__(run, database)
        self._lock = lock
        self._writer: Writer | None = None
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

    def _writing(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"{self.run} is open for reading only")
        return self._writer

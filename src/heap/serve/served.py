"""A run that is being served: its snapshot, its model, and one change at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from heap.collection import schema
from heap.collection.collection import Collection
from heap.collection.database import reading
from heap.collection.editing import Editor
from heap.serve.snapshot import Snapshot, versions_of

if TYPE_CHECKING:
    from heap.model.heap import Heap

_RECENT = 0.5
"""Seconds."""


class ServedRun:
    """What the requests share; all methods may be called by several threads."""

    def __init__(
        self, collection: Collection, model: str | None = None, *, read_only: bool = False
    ) -> None:
        self.run = collection.store.run
        self.read_only = read_only
        """Whether changes and exports are refused."""
        self.collection = collection
        self._model = model
        self._snapshot: Snapshot | None = None
        self._looked = -inf
        self._reading, self._thinking, self._writing = Lock(), Lock(), Lock()

    @property
    def searchable(self) -> bool:
        """Whether it is known where the model of the run is."""
        return bool(self._model or self.collection.store.model)

    @property
    def version(self) -> str:
        """It changes with every write, to the categories too."""
        made = self.collection.store.find(schema.CATEGORIES)
        return "-".join(map(str, (*self.now().versions, 0 if made is None else made.version)))

    def now(self) -> Snapshot:
        """The run as it is; read again only if it was written since.

        Raises:
            StoreError: if the store is damaged.
        """
        store = self.collection.store
        with self._reading, reading(self.run):
            versions = versions_of(store.table(schema.IMAGES), store.find(schema.OBJECTS))
            if self._snapshot is None or self._snapshot.versions != versions:
                self._snapshot = Snapshot.take(store)
            self._looked = monotonic()
            return self._snapshot

    def recent(self) -> Snapshot:
        """The run as it was half a second ago at most: enough for pictures, which are many.

        What was changed here is seen at once.

        Raises:
            StoreError: if the store is damaged.
        """
        snapshot = self._snapshot
        if snapshot is None or monotonic() - self._looked > _RECENT:
            return self.now()
        return snapshot

    @contextmanager
    def model(self) -> Iterator["Heap"]:
        """The model of the run for one thread at a time, loaded when it is first needed.

        Raises:
            InputError: if it is another model, or not known where it is.
        """
        with self._thinking:
            yield self.collection.model(self._model)

    @contextmanager
    def editing(self) -> Iterator[Editor]:
        """The only writer of the run, for the time of one change.

        Raises:
            BusyError: if another process is writing there.
        """
        with self._writing, Editor(self.run) as editor:
            try:
                yield editor
            finally:
                self._looked = -inf

"""A run that is being served: its snapshot, its model, and one change at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from heap.base.errors import InputError
from heap.run import Run
from heap.serving.answers import InspectionAnswer, MapAnswer
from heap.serving.background import OncePerVersion
from heap.serving.keeping import GalleryKeeper
from heap.serving.turns import Turns
from heap.store import schema
from heap.store.database import reading
from heap.store.editing import Editor
from heap.view.snapshot import Snapshot, versions_of

if TYPE_CHECKING:
    from heap.model.heap import Heap

_RECENT = 0.5
"""Seconds that a snapshot is used for pictures without a look at the store."""


class StaleError(InputError):
    """A correction of a run that somebody else has changed since."""

    def __init__(self, version: str) -> None:
        super().__init__(
            "the run was changed meanwhile, in another window or by another program; look at it "
            "as it is now, and repeat the correction if it is still wanted"
        )
        self.version = version
        """Version of the run as it is now."""


class ServedRun:
    """Run, model and locks that all requests share; several threads may call all methods."""

    def __init__(
        self,
        collection: Run,
        model: str | None = None,
        *,
        encoder: str | None = None,
        read_only: bool = False,
        is_one_of_several: bool = False,
    ) -> None:
        self.run = collection.store.run
        self.read_only = read_only
        """Whether changes and exports are refused."""
        self.is_one_of_several = is_one_of_several
        """Whether the application has a page of other runs, too."""
        self.collection = collection
        self.gallery = GalleryKeeper(collection.store)
        self._model, self._encoder = model, encoder
        self._snapshot: Snapshot | None = None
        self._looked = -inf
        self._reading, self._loading, self._writing = Lock(), Lock(), Lock()
        self.thinking = Turns(at_once=2, waiting=8)
        """Turns for the model; images that somebody brings are in memory meanwhile."""
        self.correcting = Turns(at_once=1, waiting=32)
        self.looking = Turns(at_once=4, waiting=64)
        """Turns for searches, photos that are read again, and archives."""
        self.mapping = OncePerVersion(MapAnswer)
        self.inspecting = OncePerVersion(InspectionAnswer)

    @property
    def searchable(self) -> bool:
        """Whether it is known where the model of the run is."""
        return bool(self._model or self.collection.store.model)

    @property
    def version(self) -> str:
        """Version of the run, which changes with every write, to the categories too."""
        return "-".join(map(str, self.now().versions))

    def now(self) -> Snapshot:
        """The run as it is; read again only if it was written since.

        Raises:
            StoreError: if the store is damaged.
        """
        store = self.collection.store
        with self._reading, reading(self.run):
            versions = versions_of(
                store.table(schema.IMAGES),
                store.find(schema.OBJECTS),
                store.find(schema.CATEGORIES),
            )
            if self._snapshot is None or self._snapshot.versions != versions:
                self._snapshot = Snapshot.take(store)
            self._looked = monotonic()
            return self._snapshot

    def recent(self) -> Snapshot:
        """The run as it was half a second ago at most.

        That is good enough for pictures, of which a page asks for many. Changes by this application
        are seen at once.

        Raises:
            StoreError: if the store is damaged.
        """
        snapshot = self._snapshot
        if snapshot is None or monotonic() - self._looked > _RECENT:
            return self.now()
        return snapshot

    def model(self) -> "Heap":
        """The model of the run, loaded when it is first needed; to be used by `thinking`.

        Raises:
            InputError: if it is another model, or not known where it is.
        """
        with self._loading:
            return self.collection.model(self._model, encoder=self._encoder)

    def embed(
        self, key: str, boxes: Sequence[tuple[float, float, float, float]]
    ) -> Float32[np.ndarray, "box dim"]:
        """Embeddings of boxes of an image of the run, see `Run.embed`."""
        self.model()
        return self.collection.embed(key, boxes)

    @contextmanager
    def editing(self, version: str | None) -> Iterator[Editor]:
        """Open the run for one change, as its only writer.

        `version` is the one that the person who makes the change has seen; None: any will do.

        Raises:
            BusyError: if another process is writing there.
            StaleError: if the run is of another version by now.
        """
        with self._writing, Editor(self.run) as editor:
            if version is not None and version != (now := self.version):
                raise StaleError(now)
            try:
                yield editor
            finally:
                self._looked = -inf
                self.gallery.changed()

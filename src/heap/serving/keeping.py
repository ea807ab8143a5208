"""Keeping of the gallery of a run that is being served: it is written again after corrections."""

import logging
from pathlib import Path
from threading import Event, Thread

from heap.base.errors import HeapError
from heap.store.place import folder_of
from heap.store.store import RunStore
from heap.view.gallery import GALLERY, write_gallery

logger = logging.getLogger(__name__)

_PAUSE = 1.0
"""Seconds to wait for further corrections, so that the gallery is written once for many."""


class GalleryKeeper:
    """Writer of the gallery in a thread of its own, soon after `changed`, and at the end."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._folder: Path | None = folder_of(store.run)
        self._stale = False
        self._woken, self._ended = Event(), Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to wait for changes; an application may begin again after its end."""
        self._ended.clear()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def changed(self) -> None:
        """Let the gallery be written again."""
        self._stale = True
        self._woken.set()

    def close(self) -> None:
        """End the thread, after it has written the gallery if that is out of date."""
        self._ended.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while self._stale or not self._ended.is_set():
            self._woken.wait()
            self._ended.wait(_PAUSE)
            self._woken.clear()
            if self._stale:
                # Before writing, so that a change meanwhile has it written once more.
                self._stale = False
                self._write()

    def _write(self) -> None:
        if self._folder is None:  # A run in an object store has no gallery.
            return
        try:
            write_gallery(self._store, self._folder / GALLERY)
        except HeapError as error:
            logger.error("%s", error)

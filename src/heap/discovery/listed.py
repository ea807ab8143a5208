"""Work on the images of a listing, chunk by chunk; and what work on any images has in common."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import get_args

from heap.base.files import file_stem
from heap.base.interrupt import Interruptible
from heap.base.progress import OnProgress
from heap.config import ORIGINALS, DiscoverConfig, Saved
from heap.discovery.pictures import examine_chunk
from heap.images import ImageError, Limits, Picture, Source
from heap.images.failures import Failure
from heap.images.names import text_of
from heap.images.prefetch import chunks, map_ahead, read_picture
from heap.images.source import STANDARD_INPUT
from heap.model.heap import Heap
from heap.store.matching import Matched, match
from heap.store.photos import note_folders
from heap.store.place import remove_files
from heap.store.records import Finished
from heap.store.store import RunStore


@dataclass(frozen=True)
class Work:
    """A call of `discover`: what all of its images are worked on with, and where it stores them."""

    store: RunStore
    heap: Heap
    config: DiscoverConfig
    out: Path | str
    """Folder of the run, or its URL."""
    pool: ThreadPoolExecutor
    limits: Limits
    stop: Interruptible
    on_progress: OnProgress

    def examine(self, images: Sequence[Picture | ImageError]) -> list[Finished | Failure]:
        """Find the objects of one chunk, and draw them; nothing is stored yet."""
        return examine_chunk(self.heap, images, self.out, self.config, self.pool)

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Say how far a stage is, and end here if a stop is requested."""
        self.on_progress(stage, done, total)
        self.stop.check()

    def note_places(self, matched: Matched, *, prune: bool) -> None:
        """Store where images are now; with `prune`, drop those that are gone, and their files."""
        self.store.move(matched.places)
        gone = matched.gone if prune else []
        self.store.drop(gone)
        for key in gone:
            for kind in (ORIGINALS, *get_args(Saved)):
                remove_files(self.out, kind, file_stem(key))


def work_on_listing(work: Work, listed: Sequence[Source], *, prune: bool) -> tuple[Matched, int]:
    """Find the objects of the images that are left, and store them, a chunk at a time.

    Returns how the listing and the run belong together, and the number of images worked on. If a
    stop is requested, the chunk in hand is stored first.
    """
    store, config = work.store, work.config
    matched = match(listed, store.stored(), work.pool, work.report, work.limits)
    # Before new images are stored: one of them may have the name of one that is dropped.
    work.note_places(matched, prune=prune)
    sources, worked = matched.sources, 0
    note_folders(store, (source.location for source in sources))
    failed_before, with_place = set(store.failures()), _Places(sources)
    # Chunks are those of the whole listing, whatever is done already, so that an interrupted run
    # ends with the results of an uninterrupted one.
    waiting = [
        left
        for chunk in chunks(sources, config.chunk)
        if (left := [source for source in chunk if source.key in matched.left])
    ]
    done = len(sources) - sum(map(len, waiting))
    read = partial(read_picture, limits=work.limits)
    pictures = map_ahead(
        (source for chunk in waiting for source in chunk), read, work.pool, config.chunk
    )
    for chunk in waiting:
        work.on_progress("objects", done, len(sources))
        examined = work.examine(list(islice(pictures, len(chunk))))
        records = [with_place(record) for record in examined]
        # Most of those that failed before fail again for the same reason, and need not be stored.
        fresh = [
            record
            for record in records
            if isinstance(record, Finished) or record not in failed_before
        ]
        store.add(fresh)
        done, worked = done + len(chunk), worked + len(fresh)
        work.stop.check()
    work.on_progress("objects", done, len(sources))
    return matched, worked


class _Places:
    """Places of images, which are written into their records."""

    def __init__(self, sources: Sequence[Source]) -> None:
        # Stamps are taken before anything is read, so that a change meanwhile is noticed next time.
        self._places = {
            source.key: (text_of(source.location), source.stamp())
            for source in sources
            if source.location != STANDARD_INPUT
        }

    def __call__(self, record: Finished | Failure) -> Finished | Failure:
        source, stamp = self._places.get(record.key, ("", ""))
        if isinstance(record, Failure):
            return replace(record, source=source)
        return replace(record, source=source, stamp=stamp)

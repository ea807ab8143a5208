"""Work on the images of a listing, chunk by chunk; and what work on any images has in common."""

from collections.abc import Collection, Iterator, Mapping, Sequence
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
from heap.discovery.outcome import News, Outcome
from heap.discovery.pictures import examine_chunk
from heap.images import ImageError, Limits, Picture, Source
from heap.images.failures import Failure
from heap.images.names import text_of
from heap.images.prefetch import chunks, map_ahead, read_picture
from heap.images.source import STANDARD_INPUT, is_url
from heap.model.heap import Heap
from heap.store.matching import Matched, match
from heap.store.photos import note_folders
from heap.store.place import remove_files
from heap.store.records import Finished
from heap.store.store import RunStore


@dataclass(frozen=True)
class Examination:
    """Way from images to records, the same in this process and in those of a cluster."""

    heap: Heap
    config: DiscoverConfig
    out: Path | str
    """Folder of the run, or its URL."""
    pool: ThreadPoolExecutor
    limits: Limits

    def examine(self, images: Sequence[Picture | ImageError]) -> list[Finished | Failure]:
        """Find the objects of one chunk, and draw them; nothing is stored yet."""
        return examine_chunk(self.heap, images, self.out, self.config, self.pool)

    def records(
        self, waiting: Sequence[Sequence[Source]], places: "Places"
    ) -> Iterator[list[Finished | Failure]]:
        """Read images by chunks, the next ones while those before are worked on; yield records."""
        read = partial(read_picture, limits=self.limits)
        sources = (source for chunk in waiting for source in chunk)
        pictures = map_ahead(sources, read, self.pool, self.config.chunk)
        for chunk in waiting:
            yield [
                places.add_to(record) for record in self.examine([*islice(pictures, len(chunk))])
            ]


@dataclass(frozen=True)
class Work(Examination):
    """Call of `discover` in one process: where it stores the records, and when it stops."""

    store: RunStore
    stop: Interruptible
    on_progress: OnProgress

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Say how far a stage is, and end here if a stop is requested."""
        self.on_progress(stage, done, total)
        self.stop.check()


def note_places(
    store: RunStore, out: Path | str, moved: Mapping[str, tuple[str, str]], dropped: Sequence[str]
) -> None:
    """Store where images are now; drop some, with their files."""
    store.move(moved)
    store.drop(dropped)
    for key in dropped:
        for kind in (ORIGINALS, *get_args(Saved)):
            remove_files(out, kind, file_stem(key))


def work_on_listing(
    work: Work, listed: Sequence[Source], skipped: Mapping[str, int], *, prune: bool
) -> Outcome:
    """Find the objects of the images that are left, and store them, a chunk at a time.

    `skipped` is what the listing passed over, to be told.
    If a stop is requested, the chunk in hand is stored first.
    """
    store, config = work.store, work.config
    matched = match(listed, store.stored(), work.pool, work.report, work.limits)
    # Before new images are stored: one of them may have the name of one that is dropped.
    note_places(store, work.out, matched.places, matched.gone if prune else [])
    sources, worked = matched.sources, 0
    note_folders(store, (source.location for source in sources))
    failed_before = set(store.failures())
    waiting = chunks_left(matched, config.chunk)
    done = len(sources) - sum(map(len, waiting))
    work.on_progress("objects", done, len(sources))
    for chunk, records in zip(waiting, work.records(waiting, Places(sources)), strict=True):
        fresh = [record for record in records if is_news(record, failed_before)]
        store.add(fresh)
        done, worked = done + len(chunk), worked + len(fresh)
        work.stop.check()
        work.on_progress("objects", done, len(sources))
    embed_outdated(work, sources)
    failed = {failure.key for failure in store.failures()}
    usable = len({source.key for source in sources} - failed)
    changed, gone = tuple(matched.changed), tuple(matched.gone)
    return Outcome(worked, usable, News(changed, len(matched.places), gone, prune, dict(skipped)))


def chunks_left(matched: Matched, size: int) -> list[list[Source]]:
    """Images that are to be worked on, by chunks.

    Chunks are those of the whole listing, whatever is done already, so that an interrupted run ends
    with the results of an uninterrupted one.
    """
    return [
        left
        for chunk in chunks(matched.sources, size)
        if (left := [source for source in chunk if source.key in matched.left])
    ]


def is_news(record: Finished | Failure, failed_before: Collection[Failure]) -> bool:
    """Whether a record has to be stored; most of those that failed before fail again alike."""
    return isinstance(record, Finished) or record not in failed_before


def embed_outdated(work: Work, sources: Sequence[Source]) -> None:
    """Embed the objects whose masks were corrected where the model was not at hand.

    Those of photos that cannot be read wait on.
    """
    waiting = work.store.outdated()
    for source in sources:
        objects = waiting.get(source.key, ())
        picture = read_picture(source, limits=work.limits) if objects else None
        if isinstance(picture, Picture):
            crops = [(picture, box) for _, box in objects]
            vectors = work.heap.embed(crops, work.config)
            ids = [id for id, _ in objects]
            work.store.update_vectors(source.key, dict(zip(ids, vectors, strict=True)))
        work.stop.check()


def outdated_sources(store: RunStore) -> list[Source]:
    """Images of a run that have such objects, and a place of their own."""
    keys = store.outdated().keys()
    return [
        Source(row.key, row.source)
        for row in (store.stored() if keys else ())
        if row.key in keys and (is_url(row.source) or Path(row.source).is_absolute())
    ]


class Places:
    """Places of images, which are written into their records."""

    def __init__(self, sources: Sequence[Source]) -> None:
        # Stamps are taken before anything is read, so that a change meanwhile is noticed next time.
        self._places = {
            source.key: (text_of(source.location), source.stamp())
            for source in sources
            if source.location != STANDARD_INPUT
        }

    def add_to(self, record: Finished | Failure) -> Finished | Failure:
        """Record with the place of its image."""
        source, stamp = self._places.get(record.key, ("", ""))
        if isinstance(record, Failure):
            return replace(record, source=source)
        return replace(record, source=source, stamp=stamp)

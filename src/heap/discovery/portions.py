"""Portions of a listing: what is sent to a worker at a time, and what comes back."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

from heap.base.progress import silent
from heap.discovery.listed import Places, chunks_left
from heap.images import Limits, Source, list_images
from heap.images.failures import Failure
from heap.images.prefetch import chunks
from heap.images.source import is_url
from heap.store.matching import Matcher
from heap.store.records import Finished, Stored

CHUNKS = 4
"""Chunks of a portion: the most that is lost with a worker, and work for many seconds."""
_MOST = 4096
"""Chunks that are listed and matched with the run together, at most."""


@dataclass(frozen=True)
class Portion:
    """Images that one worker works on."""

    waiting: list[list[Source]]
    """By chunks."""
    places: Places

    def failures(self, stage: str, reason: str) -> list[Finished | Failure]:
        """Every image as one that failed."""
        keys = [source.key for chunk in self.waiting for source in chunk]
        return [self.places.add_to(Failure(key, stage, reason)) for key in keys]


@dataclass(frozen=True)
class Matches:
    """News of a part of the listing."""

    listed: int
    left: int
    """Images of it that are to be worked on."""
    changed: Sequence[str] = ()
    places: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ending:
    """End of the listing."""

    portions: int = 0
    gone: Sequence[str] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Listed:
    """Listing that is made, and matched with the run, while its first images are worked on."""

    places: Sequence[str]
    """Files, folders, globs, lists, URLs."""
    folder: str
    """Folder that relative ones start from."""
    limit: int | None
    stored: Sequence[Stored]
    chunk: int
    limits: Limits
    alone: bool = False
    """Whether each image is a portion by itself."""

    def parts(self) -> Iterator[Portion | Matches | Ending]:
        """Yield portions, news of the parts of the listing that they are of, and the end.

        Raises:
            InputError: if a place cannot be listed.
        """
        os.chdir(self.folder)  # of a process that Ray has started
        listing = list_images(list(self.places))
        coming = listing if self.limit is None else islice(listing, self.limit)
        chunk, together = (1, 1) if self.alone else (self.chunk, CHUNKS)
        matcher, portions, size = Matcher(self.stored), 0, chunk * together
        with ThreadPoolExecutor() as pool:
            while part := list(islice(coming, size)):
                matched = matcher.match(part, pool, silent, self.limits)
                yield Matches(len(part), len(matched.left), matched.changed, matched.places)
                for waiting in chunks(chunks_left(matched, chunk), together):
                    places = Places([source for chunk in waiting for source in chunk])
                    yield Portion([[*map(_plain, chunk)] for chunk in waiting], places)
                    portions += 1
                # Few at first, for the workers wait. The parts end where chunks do.
                size = min(2 * size, chunk * _MOST)
        yield Ending(portions, matcher.gone(), dict(listing.skipped))


def _plain(source: Source) -> Source:
    """Source that is opened by its URL, without the file system that it was listed on."""
    return replace(source, opener=None, teller=None) if is_url(source.location) else source

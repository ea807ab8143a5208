"""Matching of listed images with those that a run has already, by place and content."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from os.path import realpath
from pathlib import Path
from typing import NoReturn

from heap.base.errors import ImageError, InputError
from heap.base.progress import OnProgress
from heap.images import Source
from heap.images.decode import DEFAULT_LIMITS, Limits, read
from heap.images.distinct import ends_with, make_distinct
from heap.images.names import parts_of, text_of
from heap.images.prefetch import map_ahead
from heap.images.source import STANDARD_INPUT, is_url, local_path, name_of
from heap.store.records import Stored

STAGE = "comparing"
_DEPTH = 32
"""Files that are read ahead at the same time, so that slow disks and networks are kept busy."""


@dataclass
class Matched:
    """The images of a listing, as the run calls them."""

    sources: list[Source]
    left: set[str] = field(default_factory=set)
    """Keys of the images that are to be worked on."""
    changed: list[str] = field(default_factory=list)
    """Keys of those with another content than they had."""
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Present place and stamp of every image that is as it was, by its key."""
    gone: list[str] = field(default_factory=list)
    """Keys of images of the run that are no longer where they were, and were not listed."""


@dataclass(frozen=True)
class _Pair:
    """An image that was listed, and the one of the run that it is or may be."""

    source: Source
    stamp: str
    row: Stored | None
    moved: bool = False
    """Whether only its content can show that it is the same image."""

    def needs_reading(self) -> bool:
        """Whether only the content says if the image is as it was."""
        if self.row is None or self.row.failed or self.source.location == STANDARD_INPUT:
            return False
        return self.moved or self.stamp != self.row.stamp

    def is_same(self, digest: str) -> bool:
        """Whether both are the same image, perhaps with another content."""
        if self.row is None:
            return False
        return not self.moved or self.row.failed or digest == self.row.digest


def match(
    listed: Sequence[Source],
    stored: Sequence[Stored],
    pool: ThreadPoolExecutor,
    on_progress: OnProgress,
    limits: Limits = DEFAULT_LIMITS,
) -> Matched:
    """Find the images of a run in a whole listing, see `Matcher`."""
    matcher = Matcher(stored)
    matched = matcher.match(listed, pool, on_progress, limits)
    matched.gone = matcher.gone()
    return matched


class Matcher:
    """Matching of a listing with the images of a run, one part of the listing after the other.

    An image keeps its key as long as it is at its place. One that is gone from there keeps it where
    a listed file has the same content and a path that still ends with its name. A file is read only
    if its size or times have changed; one that takes longer than the limit counts as unchanged. All
    other listed images are new, and get keys that no other image has.
    """

    def __init__(self, stored: Sequence[Stored]) -> None:
        self._stored = stored
        self._known = _Known(stored)
        self._taken = {row.key for row in stored}
        """Keys that no new image may get."""
        self._listed: set[str] = set()
        """Keys of images of the run that were listed."""

    def match(
        self,
        listed: Sequence[Source],
        pool: ThreadPoolExecutor,
        on_progress: OnProgress,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Matched:
        """Find the images of the run in a part of the listing; which are gone is not known yet."""
        pairs = [self._known.find(_read_standard_input(source)) for source in listed]
        doubtful = [pair for pair in pairs if pair.needs_reading()]
        digests = _digests(doubtful, pool, on_progress, limits)
        matched = Matched([pair.source for pair in pairs])
        new = []
        for at, pair in enumerate(pairs):
            digest = digests.get(pair.source.key, "")
            if pair.row is None or not pair.is_same(digest):
                new.append(at)
                continue
            self._listed.add(pair.row.key)
            matched.sources[at] = replace(pair.source, key=pair.row.key)
            if pair.row.failed or (digest and digest != pair.row.digest):
                matched.left.add(pair.row.key)
                matched.changed += [] if pair.row.failed else [pair.row.key]
            elif digest:
                matched.places[pair.row.key] = (text_of(pair.source.location), pair.stamp)
        named = make_distinct([pairs[at].source for at in new], self._taken)
        for at, source in zip(new, named, strict=True):
            # A name that the listing did not give may be that of an image of a later part.
            if source.key != pairs[at].source.key:
                self._taken.add(source.key)
            matched.sources[at] = source
            matched.left.add(source.key)
        return matched

    def gone(self) -> list[str]:
        """Keys of images that are no longer where they were, when all of the listing has come."""
        return [
            row.key for row in self._stored if row.key not in self._listed and is_gone(row.source)
        ]


def is_gone(source: str) -> bool:
    """Whether a file of this machine is not where it was.

    False for URLs, which are not asked, for copies in the run, whose paths start there, and where
    nobody can say, as on a network drive that does not answer: `prune` would else drop its images.
    """
    path = Path(local_path(source) or source)
    try:
        if path.is_absolute():
            path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


class _Known:
    """Images of a run by their places and names; none is matched twice by its name."""

    def __init__(self, stored: Sequence[Stored]) -> None:
        self._by_place = {row.source: row for row in stored if row.source}
        self._by_name: defaultdict[str, list[Stored]] = defaultdict(list)
        for row in stored:
            self._by_name[name_of(row.key).rpartition("/")[2]].append(row)
        self._read_once = {row.digest or row.key: row for row in stored if not row.source}
        self._used: set[str] = set()

    def find(self, source: Source) -> _Pair:
        """Pair a listed image with that of the run at its place, or that may have moved there."""
        pair = self._find(source)
        if pair.row is not None:
            self._used.add(pair.row.key)
        return pair

    def _find(self, source: Source) -> _Pair:
        # Taken before anything is read, so that a change meanwhile is noticed the next time.
        stamp = source.stamp()
        if source.location == STANDARD_INPUT:
            row = self._read_once.get(_digest(source)) or self._read_once.get(source.key)
            return _Pair(source, stamp, row)
        if row := self._by_place.get(text_of(source.location)):
            return _Pair(source, stamp, row)
        name = (parts_of(source.location) or [""])[-1]
        alike = [row for row in self._by_name.get(name, ()) if row.key not in self._used]
        for row in alike:
            if _is_same_file(row.source, source.location):
                return _Pair(source, stamp, row)
        for row in alike:
            if ends_with(source.location, row.key) and _may_have_moved(row.source, source.location):
                return _Pair(source, stamp, row, moved=True)
        return _Pair(source, stamp, None)


def _is_same_file(before: str, location: str) -> bool:
    if is_url(location) or not before or is_url(before):
        return False
    return realpath(before) == realpath(location)


def _may_have_moved(before: str, location: str) -> bool:
    """Whether an image is gone from where it was, or its URL differs only in the query.

    Signed URLs of object stores have a new signature in the query each time.
    """
    if is_url(before) and not local_path(before):
        return before.partition("?")[0] == location.partition("?")[0]
    return not before or is_gone(before)


def _digests(
    pairs: Sequence[_Pair], pool: ThreadPoolExecutor, on_progress: OnProgress, limits: Limits
) -> dict[str, str]:
    """Digests of listed files by their keys in the listing; empty where one cannot be read."""
    digests = {}
    digest_of = partial(_digest, limits=limits)
    answers = map_ahead((pair.source for pair in pairs), digest_of, pool, _DEPTH)
    for done, (pair, digest) in enumerate(zip(pairs, answers, strict=True)):
        on_progress(STAGE, done, len(pairs))
        digests[pair.source.key] = digest
    return digests


def _digest(source: Source, limits: Limits = DEFAULT_LIMITS) -> str:
    try:
        return hashlib.sha256(read(source, limits)).hexdigest()
    except ImageError:
        return ""


def _read_standard_input(source: Source) -> Source:
    """Return the image; standard input is read at once, and its digest becomes part of the key."""
    if source.location != STANDARD_INPUT:
        return source
    try:
        data = source.read()
    except InputError as error:
        return replace(source, opener=partial(_refuse, error))
    name = f"{source.key}-{hashlib.sha256(data).hexdigest()[:8]}"
    return replace(source, key=name, opener=partial(BytesIO, data))


def _refuse(error: InputError) -> NoReturn:
    raise error

"""Work on images with names, as a program hands them over: one chunk at a time, read once."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from pathlib import Path

from PIL import Image

from heap.base.files import file_stem, inside, replacing
from heap.base.timing import timed
from heap.config import ORIGINALS
from heap.discovery.listed import Work, note_places
from heap.discovery.outcome import News, Outcome
from heap.images import ImageError, Limits, Picture, decode_bytes
from heap.images.decode import read
from heap.images.failures import Failure
from heap.images.formats import formats_of
from heap.images.named import Named, Pair, to_named
from heap.images.names import text_of
from heap.images.prefetch import chunks, map_ahead
from heap.store.matching import is_gone
from heap.store.photos import note_folders
from heap.store.place import remove_files
from heap.store.records import Finished, Stored

_SUFFIXES = {"JPEG": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif"}
"""Usual suffixes of formats whose names are not their suffixes."""


@dataclass
class Streamed:
    """Numbers and names of the images that came."""

    keys: set[str] = field(default_factory=set)
    changed: list[str] = field(default_factory=list)
    """Keys of images with another content than they had in the run."""
    worked: int = 0

    def gone(self, stored: Mapping[str, Stored]) -> list[str]:
        """Keys of images of the run that did not come, and whose files are not where they were."""
        return [key for key, row in stored.items() if key not in self.keys and is_gone(row.source)]


@dataclass(frozen=True)
class _Prepared:
    """Image that was read, and decoded unless the run has it already."""

    named: Named
    stamp: str
    picture: Picture | ImageError | None


def work_on_stream(work: Work, pairs: Iterator[Pair], *, prune: bool) -> Outcome:
    """Find the objects of the images that are new, failed before, or have another content.

    An image is one of the run if it has the same name. The images of a chunk are stored, with
    copies of those that have no place of their own, before the next chunk begins.

    Raises:
        InputError: if an image has no name, or that of another one; what came before is stored.
    """
    stored = {row.key: row for row in work.store.stored()}
    streamed, coming = Streamed(), _UntilError(pairs)
    prepare = partial(_prepare, stored, work.limits)
    prepared = map_ahead(coming, prepare, work.pool, work.config.chunk)
    work.on_progress("objects", 0, None)
    for images in chunks(prepared, work.config.chunk):
        _work_on_chunk(work, images, stored, streamed)
        work.report("objects", len(streamed.keys), None)
    if coming.error is not None:
        raise coming.error
    # Only now is it known which images did not come.
    gone = streamed.gone(stored)
    note_places(work.store, work.out, {}, gone if prune else [])
    failed = {failure.key for failure in work.store.failures()}
    news = News(changed=tuple(streamed.changed), gone=tuple(gone), pruned=prune)
    return Outcome(streamed.worked, len(streamed.keys - failed), news)


class _UntilError(Iterator[Pair]):
    """Items up to an error, which is kept, so that those before it are worked on first."""

    def __init__(self, pairs: Iterator[Pair]) -> None:
        self._pairs = pairs
        self.error: Exception | None = None

    def __next__(self) -> Pair:
        try:
            return next(self._pairs)
        except StopIteration:
            raise
        except Exception as error:  # of the program's own code
            self.error = error
            raise StopIteration from error


def _work_on_chunk(
    work: Work, images: list[_Prepared], stored: Mapping[str, Stored], streamed: Streamed
) -> None:
    by_key = {image.named.source.key: image for image in images}
    streamed.keys |= by_key.keys()
    left = {key: image for key, image in by_key.items() if image.picture is not None}
    read_in = [image.picture for image in left.values() if image.picture is not None]
    records: list[Finished | Failure] = []
    for record in work.examine(read_in):
        image = left[record.key]
        if isinstance(record, Finished):
            place = _keep(image.named, work.out)
            records.append(replace(record, source=place, stamp=image.stamp))
            if record.key in stored and not stored[record.key].failed:
                streamed.changed.append(record.key)
        else:
            records.append(replace(record, source=text_of(image.named.source.location)))
    work.store.add(records)
    places = [image.named.source.location for image in left.values() if image.named.kept is None]
    note_folders(work.store, filter(None, places))
    streamed.worked += len(records)


def _keep(named: Named, out: Path | str) -> str:
    """Place where an image can be read again: its own, or that of a copy that is written."""
    if named.kept is None:
        return text_of(named.source.location)
    stem = file_stem(named.source.key)
    with Image.open(BytesIO(named.kept), formats=formats_of(named.source.key)) as image:
        kind = image.format or ""
    name = stem + _SUFFIXES.get(kind, f".{kind.lower()}")
    place = inside(inside(out, ORIGINALS), name)
    with replacing(place) as file:
        file.write(named.kept)
    # The copy of an earlier content may be of another kind.
    remove_files(out, ORIGINALS, stem, but=name)
    return place if isinstance(place, str) else f"{ORIGINALS}/{name}"


def _prepare(stored: Mapping[str, Stored], limits: Limits, pair: Pair) -> _Prepared:
    with timed("decode"):
        named = to_named(pair)
    stamp = named.source.stamp() if named.kept is None else ""
    try:
        data = read(named.source, limits)
        row = stored.get(named.source.key)
        if row is not None and not row.failed and row.digest == hashlib.sha256(data).hexdigest():
            return _Prepared(named, stamp, None)
        picture = decode_bytes(named.source.key, data, limits)
    except ImageError as error:
        return _Prepared(named, stamp, error)
    notes = "; ".join(filter(None, [named.note, picture.note]))
    return _Prepared(named, stamp, replace(picture, note=notes or None))

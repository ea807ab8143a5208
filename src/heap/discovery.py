"""`heap discover`: from a folder of images to a run with objects, pictures and a gallery."""

import glob
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image

from heap.base.files import file_stem, replacing
from heap.base.interrupt import Interruptible
from heap.base.progress import OnProgress, silent
from heap.config import DiscoverConfig, Precision, Saved, from_dict
from heap.encoder.registry import PACKAGED
from heap.export.coco import write_coco
from heap.fitting.command import fit
from heap.images import ImageError, Limits, Picture, Source, list_images
from heap.images.colour import to_srgb
from heap.images.failures import FAILURES, Failure, attempt, write_failures
from heap.images.listing import Place
from heap.images.names import text_of
from heap.images.prefetch import chunks, map_ahead, read_picture
from heap.images.source import STANDARD_INPUT
from heap.masks.scaling import encode_image, thumbnail
from heap.model.heap import Heap
from heap.report.overlays import draw_overlay, draw_regions, save_overlay
from heap.results import ImageResult
from heap.store.matching import Matched, match
from heap.store.photos import note_folders
from heap.store.records import Counts, Finished
from heap.store.store import RunStore
from heap.view.gallery import GALLERY, write_gallery


@dataclass(frozen=True)
class News:
    """What a call has to say of images that are not simply new, or done."""

    changed: tuple[str, ...]
    """Keys of images with another content than before; they were worked on again."""
    moved: int
    """Images that were found at another place, or there as they were after all."""
    gone: tuple[str, ...]
    """Keys of images that are no longer where they were."""
    pruned: bool
    """Whether those were dropped; else the run holds them still."""
    skipped: Mapping[str, int]
    """What the listing passed over, by the reason."""


@dataclass(frozen=True)
class Discovery:
    """A finished run."""

    folder: Path
    counts: Counts
    images: int
    """Images that this call worked on; the others were there already."""
    notes: Mapping[str, int]
    """How many images have each note, such as "first of 3 frames"."""
    seconds: float
    """What this call took, without loading the model."""
    usable: int
    """Images of the listing that have a result; 0: every one of them failed."""
    news: News

    @property
    def rate(self) -> float:
        """Images per second of this call."""
        return self.images / max(self.seconds, 1e-9)

    def results(self) -> Iterator[ImageResult]:
        """The result of each image, in the order of their keys."""
        return RunStore.open(self.folder).results()


def discover(
    images: Place | Sequence[Place],
    out: Path | str = "heap-run",
    *,
    model: Heap | Path | str | None = None,
    encoder: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    config: DiscoverConfig | Mapping[str, Any] | None = None,
    limit: int | None = None,
    timeout: float = Limits().seconds,
    prune: bool = False,
    on_fit: Callable[[Path], None] = lambda folder: None,
    on_progress: OnProgress = silent,
) -> Discovery:
    """Find the objects of every image and write the run `out`; goes on where a kill stopped it.

    `model` is one that is loaded, or the name of one: embedded, a folder or a hub name; `encoder`
    says where its encoder is now. Without a model it is the one inside the package or, for another
    `encoder`, one that is fitted on the images first, into the folder `out`-model: `on_fit` is told
    so. `config` holds all settings, or those that differ from what the model does by itself.

    Images are worked on by chunks; what a chunk gives is stored before the next one begins. The
    chunks of a listing are always the same, so that an interrupted run ends with the very results
    of an uninterrupted one. What is stored stays as it is when images are added to the listing.
    `limit` stops after that many images of it; an image that takes longer than `timeout` seconds to
    be read, or to be decoded, is given up. Images with which something goes wrong are listed as
    failed, with the stage: reading them, `encode`, `objects`, `embed` or `draw`.

    An image of the listing is one of the run if it is at the same place, see
    `heap.store.matching`; then it is worked on again if it failed, or if its content is
    another by now. `prune` drops the images that are no longer where they were.

    Raises:
        InputError: if there is no image, or `out` cannot be written or is being written.
        ConfigError: if `out` holds a run with another configuration, naming the keys.
        StoreError: if `out` is damaged.
    """
    out = Path(out)
    heap = _load(images, out, model, encoder, device, precision, timeout, on_fit, on_progress)
    if not isinstance(config, DiscoverConfig):
        config = from_dict(DiscoverConfig, asdict(heap.defaults) | dict(config or {}))
    listing = list_images(images)
    listed = list(islice(listing, limit))
    started, worked = time.monotonic(), 0
    settings = {
        "model": asdict(heap.config),
        "head": heap.fingerprint,
        "precision": heap.encoder.precision,
        "discover": asdict(config),
    }
    with (
        RunStore.create_or_open(out, settings, heap.location) as store,
        Interruptible() as stop,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):

        def compare(stage: str, done: int, total: int | None) -> None:
            on_progress(stage, done, total)
            stop.check()

        limits = Limits(seconds=timeout)
        matched = match(listed, store.stored(), pool, compare, limits)
        _note(store, matched, out, prune=prune)
        sources = matched.sources
        note_folders(store, (source.location for source in sources))
        failed, placed = set(store.failures()), _Places(sources)
        waiting = [
            left
            for chunk in chunks(sources, config.chunk)
            if (left := [source for source in chunk if source.key in matched.left])
        ]
        done = len(sources) - sum(map(len, waiting))
        read_one = partial(read_picture, limits=limits)
        pictures = map_ahead(
            (source for chunk in waiting for source in chunk), read_one, pool, config.chunk
        )
        for chunk in waiting:
            on_progress("objects", done, len(sources))
            read = list(islice(pictures, len(chunk)))
            records = [placed(record) for record in _work(heap, read, out, config, pool)]
            # Most of those that failed before fail again, and for the same reason.
            fresh = [each for each in records if isinstance(each, Finished) or each not in failed]
            store.add(fresh)
            done, worked = done + len(chunk), worked + len(fresh)
            stop.check()
        on_progress("objects", done, len(sources))
        store.compact(on_progress)
        write_reports(store, out, on_progress)
        usable = {source.key for source in sources} - {each.key for each in store.failures()}
        gone, changed = tuple(matched.gone), tuple(matched.changed)
        news = News(changed, len(matched.places), gone, prune, dict(listing.skipped))
        seconds = time.monotonic() - started
        return Discovery(out, store.counts(), worked, store.notes(), seconds, len(usable), news)


def _load(
    images: Place | Sequence[Place],
    out: Path,
    model: Heap | Path | str | None,
    encoder: str | None,
    device: str,
    precision: Precision,
    timeout: float,
    on_fit: Callable[[Path], None],
    on_progress: OnProgress,
) -> Heap:
    """Load the model, or fit one on the images; see `discover`."""
    if isinstance(model, Heap):
        return model
    if model is not None or encoder in (None, *PACKAGED):
        name = model or encoder or PACKAGED[0]
        return Heap.from_pretrained(name, encoder=encoder, device=device, precision=precision)
    whole = out.resolve()
    folder = whole.with_name(whole.name + "-model")
    waiting = [folder]

    def report(stage: str, done: int, total: int | None) -> None:
        # Only now: nothing is said of a fit that is refused at once.
        if waiting:
            on_fit(waiting.pop())
        on_progress(stage, done, total)

    return fit(
        images,
        folder,
        encoder=encoder,
        device=device,
        precision=precision,
        timeout=timeout,
        on_progress=report,
    )


class _Places:
    """Says in records where their images are."""

    def __init__(self, sources: Sequence[Source]) -> None:
        # Before anything is read, so that what changes meanwhile is noticed the next time.
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


def _note(store: RunStore, matched: Matched, out: Path, *, prune: bool) -> None:
    """Store where images are now, and drop those that are gone, with the pictures of them."""
    store.move(matched.places)
    gone = matched.gone if prune else []
    store.drop(gone)
    for key in gone:
        for kind in get_args(Saved):
            for path in (out / kind).glob(f"{glob.escape(file_stem(key))}.*"):
                path.unlink()


def write_reports(store: RunStore, out: Path, on_progress: OnProgress = silent) -> None:
    """Write objects.json, failed.jsonl and gallery.html from what is stored."""
    on_progress("reports", 0, 2)
    write_coco(store.records(), out / "objects.json")
    on_progress("reports", 1, 2)
    write_failures(store.failures(), out / FAILURES)
    on_progress("reports", 2, 2)
    write_gallery(store, out / GALLERY, on_progress)


def _work(
    heap: Heap,
    read: list[Picture | ImageError],
    out: Path,
    config: DiscoverConfig,
    pool: ThreadPoolExecutor,
) -> list[Finished | Failure]:
    pictures = [picture for picture in read if isinstance(picture, Picture)]

    def draw(picture: Picture, result: ImageResult | ImageError) -> Finished | ImageError:
        if isinstance(result, ImageError):
            return result
        return attempt(picture.key, "draw", lambda: _finish(picture, result, out, config))

    drawn = pool.map(draw, pictures, heap.examine(pictures, config))
    bad = [error for error in read if isinstance(error, ImageError)]
    return [
        Failure(record.key, record.stage, record.reason)
        if isinstance(record, ImageError)
        else record
        for record in (*bad, *drawn)
    ]


def _finish(picture: Picture, result: ImageResult, out: Path, config: DiscoverConfig) -> Finished:
    """Write the pictures of one image that are wanted, and make the record of it."""
    shown = to_srgb(picture.pixels, picture.profile)
    if "overlays" in config.save:
        save_overlay(draw_overlay(shown, result), out / "overlays", result.key)
    if "regions" in config.save:
        regions = draw_regions(shown, result.regions.label_map)
        save_overlay(regions, out / "regions", result.key)
    if "masks" in config.save:
        _save_masks(result, out / "masks")
    small, note = thumbnail(shown), picture.note or ""
    return Finished(result, small, picture.digest, note)


def _save_masks(result: ImageResult, folder: Path) -> None:
    """An 8-bit label map: 0 background, 1 the best object, and so on to 255.

    A pixel of several, as there are with proposals, belongs to the best of them.
    """
    labels = np.zeros((result.height, result.width), dtype=np.uint8)
    for number, mask in enumerate(result.objects.masks[:255], start=1):
        labels[mask.decode() & (labels == 0)] = number
    with replacing(folder / f"{file_stem(result.key)}.png") as file:
        file.write(encode_image(Image.fromarray(labels), "PNG", optimize=True))

"""`heap discover`: from a folder of images to a run with objects, pictures and a gallery."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from heap.attempts import attempt
from heap.collection.photos import note_folders
from heap.collection.records import Counts, Failure, Finished
from heap.collection.store import RunStore
from heap.config import DiscoverConfig
from heap.images import ImageError, Limits, Picture, Source, list_images
from heap.images.colour import as_srgb
from heap.images.listing import Place
from heap.images.source import STANDARD_INPUT
from heap.interrupt import Interruptible
from heap.model.heap import Heap
from heap.progress import OnProgress, silent
from heap.reading import ahead, chunks, read_picture
from heap.report.coco import FAILURES, write_coco, write_failures
from heap.report.files import file_stem, replacing
from heap.report.gallery import GALLERY, write_gallery
from heap.report.overlays import draw_overlay, draw_regions, save_overlay
from heap.report.scaling import encoded, thumbnail
from heap.results import ImageResult


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    counts: Counts
    images: int
    """Images that this call worked on; the others were there already."""
    notes: Mapping[str, int]
    """How many images have each note, such as "first of 3 frames"."""
    seconds: float
    """What this call took, without loading the model."""

    @property
    def rate(self) -> float:
        """Images per second of this call."""
        return self.images / max(self.seconds, 1e-9)

    def results(self) -> Iterator[ImageResult]:
        """The result of each image, in the order of their keys."""
        return RunStore.open(self.folder).results()


def discover(
    heap: Heap,
    images: Place | Sequence[Place],
    out: Path | str,
    *,
    config: DiscoverConfig | None = None,
    limit: int | None = None,
    timeout: float = Limits().seconds,
    on_progress: OnProgress = silent,
) -> Run:
    """Find the objects of every image and write the run `out`; goes on where a kill stopped it.

    Images are worked on by chunks; what a chunk gives is stored before the next one begins. The
    chunks of a listing are always the same, so that an interrupted run ends with the very results
    of an uninterrupted one. What is stored stays as it is when images are added to the listing.
    `limit` stops after that many images of it; an image that takes longer than `timeout` seconds to
    be read, or to be decoded, is given up. Images with which something goes wrong are listed as
    failed, with the stage: reading them, `encode`, `objects`, `embed` or `draw`.

    Raises:
        InputError: if there is no image, or `out` cannot be written or is being written.
        ConfigError: if `out` holds a run with another configuration, naming the keys.
        StoreError: if `out` is damaged.
    """
    config, out = config or heap.defaults, Path(out)
    sources = list(islice(list_images(images), limit))
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
        note_folders(store, (source.location for source in sources))
        finished = store.finished()
        waiting = [
            left
            for chunk in chunks(sources, config.chunk)
            if (left := [source for source in chunk if source.key not in finished])
        ]
        done = len(sources) - sum(map(len, waiting))
        read = partial(read_picture, limits=Limits(seconds=timeout))
        pictures = ahead(
            (source for chunk in waiting for source in chunk), read, pool, config.chunk
        )
        for chunk in waiting:
            on_progress("objects", done, len(sources))
            store.add(_work(heap, chunk, list(islice(pictures, len(chunk))), out, config, pool))
            done, worked = done + len(chunk), worked + len(chunk)
            stop.check()
        on_progress("objects", done, len(sources))
        store.compact(on_progress)
        write_reports(store, out, on_progress)
        return Run(out, store.counts(), worked, store.notes(), time.monotonic() - started)


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
    sources: Sequence[Source],
    read: list[Picture | ImageError],
    out: Path,
    config: DiscoverConfig,
    pool: ThreadPoolExecutor,
) -> list[Finished | Failure]:
    pictures = [picture for picture in read if isinstance(picture, Picture)]
    again = {source.key: source.location for source in sources if source.location != STANDARD_INPUT}

    def draw(picture: Picture, result: ImageResult | ImageError) -> Finished | ImageError:
        if isinstance(result, ImageError):
            return result
        source = again.get(picture.key, "")
        return attempt(picture.key, "draw", lambda: _finish(picture, result, source, out, config))

    drawn = pool.map(draw, pictures, heap.examine(pictures, config))
    bad = [error for error in read if isinstance(error, ImageError)]
    return [
        Failure(record.key, record.stage, record.reason)
        if isinstance(record, ImageError)
        else record
        for record in (*bad, *drawn)
    ]


def _finish(
    picture: Picture, result: ImageResult, source: str, out: Path, config: DiscoverConfig
) -> Finished:
    """Write the pictures of one image that are wanted, and make the record of it."""
    shown = as_srgb(picture.pixels, picture.profile)
    if "overlays" in config.save:
        save_overlay(draw_overlay(shown, result), out / "overlays", result.key)
    if "regions" in config.save:
        regions = draw_regions(shown, result.regions.label_map)
        save_overlay(regions, out / "regions", result.key)
    if "masks" in config.save:
        _save_masks(result, out / "masks")
    small, note = thumbnail(shown), picture.note or ""
    return Finished(result, small, picture.digest, note, source)


def _save_masks(result: ImageResult, folder: Path) -> None:
    """An 8-bit label map: 0 background, 1 the best object, and so on to 255.

    A pixel of several, as there are with proposals, belongs to the best of them.
    """
    labels = np.zeros((result.height, result.width), dtype=np.uint8)
    for number, mask in enumerate(result.objects.masks[:255], start=1):
        labels[mask.decode() & (labels == 0)] = number
    with replacing(folder / f"{file_stem(result.key)}.png") as file:
        file.write(encoded(Image.fromarray(labels), "PNG", optimize=True))

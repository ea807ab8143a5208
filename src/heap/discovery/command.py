"""The whole of `heap discover`: load, list, work on the images, report."""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, SupportsIndex

from heap.base.device import OPENVINO
from heap.base.errors import InputError
from heap.base.files import inside
from heap.base.interrupt import Interruptible
from heap.base.numbers import real_number, whole_number
from heap.base.progress import OnProgress, silent
from heap.base.timing import timed
from heap.config import ClusterConfig, DiscoverConfig, Engine, Precision
from heap.discovery.announcing import Announced
from heap.discovery.engine import cluster_workers, connected_to, work_on_cluster
from heap.discovery.listed import Work, work_on_listing
from heap.discovery.loading import load_model
from heap.discovery.outcome import Discovery
from heap.discovery.streaming import work_on_stream
from heap.encoder.registry import PACKAGED
from heap.export.coco import write_coco
from heap.images import Limits, list_images
from heap.images.failures import FAILURES, write_failures
from heap.images.named import Images, refuse_iterator, split_images
from heap.model.heap import Heap
from heap.store.place import run_place
from heap.store.store import RunStore
from heap.view.gallery import GALLERY, write_gallery


def discover(
    images: Images,
    out: Path | str = "heap-run",
    *,
    model: Heap | Path | str | None = None,
    encoder: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    config: DiscoverConfig | Mapping[str, Any] | None = None,
    limit: SupportsIndex | None = None,
    timeout: float = Limits().seconds,
    prune: bool = False,
    engine: Engine = "local",
    cluster: ClusterConfig | Mapping[str, Any] | None = None,
    on_fit: Callable[[Path], None] = lambda folder: None,
    on_progress: OnProgress = silent,
) -> Discovery:
    """Find the objects of every image and write the run `out`; goes on where a kill stopped it.

    `out` is a folder, or the URL of one in an object store.

    `images` are places (files, folders, globs, lists, URLs) or, for what a program holds, a mapping
    of names to images or pairs (name, image), see `heap.images.held`. Pairs may come from an
    iterator of any length: it is read once, a chunk at a time. A name is the key in the run, and
    tells which image is which when the call is repeated; an image with another content than before
    is worked on again. The run keeps a copy of every image that has no place of its own, as it was
    encoded or as PNG, so that it can be shown and exported like others.

    `model` is one that is loaded, or the name of one: embedded, a folder or a hub name; `encoder`
    says where its encoder is now. Without a model it is the one inside the package or, for another
    `encoder`, one that is fitted on the images first, into the folder `out`-model, which `on_fit`
    gets. `config` holds all settings, or those that differ from the defaults of the model.

    Images are worked on by chunks; the results of a chunk are stored before the next one begins.
    The chunks of a listing are always the same, so that an interrupted run ends with the same
    results as an uninterrupted one. Stored results stay as they are when images are added to the
    listing. `limit` stops after that many images of it; an image that takes longer than `timeout`
    seconds to be read, or to be decoded, is given up. Images with which something goes wrong are
    listed as failed, with the stage: that of reading, `encode`, `objects`, `embed` or `draw`.

    An image of the listing is one of the run if it is at the same place, see
    `heap.store.matching`; then it is worked on again if it failed, or if its content is
    another by now. `prune` drops the images that are no longer where they were.

    The engine "ray" does the same on the machines of a cluster of Ray, which `cluster` describes:
    the images of a listing, and `out`, lie where all of them see them. What comes back is stored
    every half a minute.

    Raises:
        InputError: if there is no image, one of several has no name or the name of another one, or
            `out` cannot be written or is being written.
        ConfigError: if `out` holds a run with another configuration, naming the keys.
        StoreError: if `out` is damaged.
    """
    out = run_place(out)
    most = None if limit is None else whole_number("limit", limit, least=1)
    limits = Limits(seconds=real_number("timeout", timeout, least=0, most=1_000_000))
    if model is None and encoder not in (None, *PACKAGED):
        refuse_iterator(images, "a head is fitted on the images first")
    places, pairs = split_images(images)
    workers = cluster_workers(engine, cluster, places)
    if workers is not None and device == OPENVINO:
        raise InputError(f"the device {OPENVINO} is for this machine alone, not for a cluster")
    heap = load_model(
        images,
        out,
        model,
        encoder,
        # On a cluster it is the workers that have the device.
        device if workers is None else "cpu",
        precision,
        limits,
        on_fit,
        on_progress,
    )
    config = heap.settings(config)
    listing = None if places is None or workers is not None else list_images(places)
    listed = list(islice(listing or (), most))
    started = time.monotonic()
    with (
        nullcontext() if workers is None else connected_to(workers),
        RunStore.create_or_open(out, _settings(heap, config), heap.location) as store,
        Interruptible() as stop,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        on_progress = Announced(on_progress, store)
        work = Work(heap, config, out, pool, limits, store, stop, on_progress)
        if pairs is not None:
            outcome = work_on_stream(work, islice(pairs, most), prune=prune)
        elif workers is not None:
            outcome = work_on_cluster(work, workers, device, places or (), most, prune=prune)
        else:
            skipped = {} if listing is None else listing.skipped
            outcome = work_on_listing(work, listed, skipped, prune=prune)
        store.compact(on_progress)
        write_reports(store, out, on_progress)
        return Discovery(
            place=out,
            counts=store.counts(),
            images=outcome.worked,
            notes=store.notes(),
            seconds=time.monotonic() - started,
            usable=outcome.usable,
            news=outcome.news,
        )


def _settings(heap: Heap, config: DiscoverConfig) -> dict[str, Any]:
    """Settings that the results depend on, which stay the same for all images of a run."""
    return {
        "model": asdict(heap.config),
        "head": heap.fingerprint,
        "precision": heap.encoder.precision,
        "discover": asdict(config),
    }


def write_reports(store: RunStore, out: Path | str, on_progress: OnProgress = silent) -> None:
    """Write objects.json, failed.jsonl and gallery.html from what is stored."""
    on_progress("reports", 0, 2)
    with timed("reports"):
        write_coco(store.records(), inside(out, "objects.json"))
        on_progress("reports", 1, 2)
        write_failures(store.failures(), inside(out, FAILURES))
    on_progress("reports", 2, 2)
    write_gallery(store, inside(out, GALLERY), on_progress)

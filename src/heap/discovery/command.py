"""The whole of `heap discover`: list, match with what is there, work by chunks, report."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, SupportsIndex, get_args

from heap.base.device import OPENVINO
from heap.base.errors import InputError
from heap.base.files import inside
from heap.base.interrupt import Interruptible
from heap.base.numbers import real_number, whole_number
from heap.base.progress import OnProgress, silent
from heap.base.timing import timed
from heap.config import ClusterConfig, DiscoverConfig, Engine, Precision, from_dict
from heap.discovery.announcing import Announced
from heap.discovery.listed import (
    Outcome,
    Work,
    embed_outdated,
    outdated_sources,
    work_on_listing,
)
from heap.discovery.portions import Listed
from heap.discovery.streaming import work_on_stream
from heap.encoder.registry import PACKAGED
from heap.export.coco import write_coco
from heap.fitting.command import fit
from heap.images import Limits, list_images
from heap.images.failures import FAILURES, write_failures
from heap.images.listing import Place
from heap.images.named import Images, refuse_iterator, split_images
from heap.images.source import STANDARD_INPUT
from heap.model.heap import Heap
from heap.results import ImageResult
from heap.store.place import run_place
from heap.store.records import Counts
from heap.store.store import RunStore
from heap.view.gallery import GALLERY, write_gallery


@dataclass(frozen=True)
class News:
    """News of a call about images that are neither new nor done already."""

    changed: tuple[str, ...]
    """Keys of images with another content than before; they were worked on again."""
    moved: int
    """Images that are at another place now, or have only other times, and are as they were."""
    gone: tuple[str, ...]
    """Keys of images that are no longer where they were."""
    pruned: bool
    """Whether these were dropped; otherwise the run still holds them."""
    skipped: Mapping[str, int]
    """Number of things that the listing passed over, by the reason."""


@dataclass(frozen=True)
class Discovery:
    """A finished run."""

    place: Path | str
    """Folder of the run, or its URL."""
    counts: Counts
    images: int
    """Images that this call worked on; the others were there already."""
    notes: Mapping[str, int]
    """Number of images with each note, such as "first of 3 frames"."""
    seconds: float
    """Seconds of this call, without loading the model."""
    usable: int
    """Images of the listing that have a result; 0: every one of them failed."""
    news: News

    @property
    def rate(self) -> float:
        """Images per second of this call."""
        return self.images / max(self.seconds, 1e-9)

    @property
    def folder(self) -> Path:
        """Folder of the run.

        Raises:
            InputError: if it is in an object store; its URL is `place`.
        """
        if isinstance(self.place, str):
            raise InputError(f"{self.place} is no folder of this machine; open it with `heap.open`")
        return self.place

    def results(self) -> Iterator[ImageResult]:
        """The result of each image, in the order of their keys."""
        return RunStore.open(self.place).results()


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
    workers = _workers(engine, cluster, places)
    if workers is not None and device == OPENVINO:
        raise InputError(f"the device {OPENVINO} is for this machine alone, not for a cluster")
    heap = _load(
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
        nullcontext() if workers is None else _connected(workers),
        RunStore.create_or_open(out, _settings(heap, config), heap.location) as store,
        Interruptible() as stop,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        on_progress = Announced(on_progress, store)
        work = Work(heap, config, out, pool, limits, store, stop, on_progress)
        skipped: Mapping[str, int] = {}
        if pairs is not None:
            outcome = work_on_stream(work, islice(pairs, most), prune=prune)
        elif workers is not None:
            outcome, skipped = _spread(work, workers, device, places or (), most, prune=prune)
        else:
            outcome = work_on_listing(work, listed, prune=prune)
            skipped = {} if listing is None else listing.skipped
        store.compact(on_progress)
        write_reports(store, out, on_progress)
        return Discovery(
            place=out,
            counts=store.counts(),
            images=outcome.worked,
            notes=store.notes(),
            seconds=time.monotonic() - started,
            usable=outcome.usable,
            news=News(
                changed=tuple(outcome.changed),
                moved=outcome.moved,
                gone=tuple(outcome.gone),
                pruned=prune,
                skipped=dict(skipped),
            ),
        )


def _workers(
    engine: Engine,
    cluster: ClusterConfig | Mapping[str, Any] | None,
    places: Sequence[Place] | None,
) -> ClusterConfig | None:
    """Workers of a cluster; None where this process does the work."""
    if engine not in get_args(Engine):
        raise InputError(f"engine is {engine!r}; there are {', '.join(get_args(Engine))}")
    if engine == "local":
        if cluster is not None:
            raise InputError('workers of a cluster are those of the engine "ray"; name that, too')
        return None
    if places is None or STANDARD_INPUT in [os.fspath(place) for place in places]:
        raise InputError(
            "images in memory or on standard input are not seen by other machines; give a folder "
            'or URL, or take the engine "local"'
        )
    if not isinstance(cluster, ClusterConfig):
        cluster = from_dict(ClusterConfig, cluster or {})
    # Imported only where it is asked for: Ray is an extra, and takes a second. Already here, so
    # that its absence is said before anything slow is begun.
    import_module("heap.discovery.cluster")
    return cluster


def _connected(workers: ClusterConfig) -> AbstractContextManager[None]:
    from heap.discovery.cluster import connected

    return connected(workers)


def _spread(
    work: Work,
    workers: ClusterConfig,
    device: str,
    places: Sequence[Place],
    limit: int | None,
    *,
    prune: bool,
) -> tuple[Outcome, Mapping[str, int]]:
    """Work on a cluster; returns also what the listing passed over."""
    from heap.discovery.cluster import Tools
    from heap.discovery.spread import Spread

    listed = Listed(
        [os.fspath(place) for place in places],
        str(Path.cwd()),
        limit,
        work.store.stored(),
        work.config.chunk,
        work.limits,
    )
    out = work.out.absolute() if isinstance(work.out, Path) else work.out
    tools = Tools(work.heap, work.config, out, work.limits, workers, device)
    spread = Spread(work.store, work.out, work.stop, work.on_progress)
    outcome = spread.work_on(listed, tools, prune=prune)
    # Here, for they are few: a person has corrected their masks.
    embed_outdated(work, outdated_sources(work.store))
    return outcome, spread.skipped


def _settings(heap: Heap, config: DiscoverConfig) -> dict[str, Any]:
    """Settings that the results depend on, which stay the same for all images of a run."""
    return {
        "model": asdict(heap.config),
        "head": heap.fingerprint,
        "precision": heap.encoder.precision,
        "discover": asdict(config),
    }


@timed("load the model")
def _load(
    images: Images,
    out: Path | str,
    model: Heap | Path | str | None,
    encoder: str | None,
    device: str,
    precision: Precision,
    limits: Limits,
    on_fit: Callable[[Path], None],
    on_progress: OnProgress,
) -> Heap:
    """Load the model, or fit one on the images; see `discover`."""
    if isinstance(model, Heap):
        return model
    if model is not None or encoder in (None, *PACKAGED):
        name = model or encoder or PACKAGED[0]
        return Heap.from_pretrained(name, encoder=encoder, device=device, precision=precision)
    if isinstance(out, str):
        raise InputError(
            f"a head of {encoder} would be fitted beside the run, and {out} is no folder of this "
            "machine: fit one with `heap fit`, then name it with --model"
        )
    run = out.resolve()
    folder = run.with_name(run.name + "-model")
    waiting = [folder]

    def report(stage: str, done: int, total: int | None) -> None:
        # At the first progress, not before: a fit that is refused at once is not announced.
        if waiting:
            on_fit(waiting.pop())
        on_progress(stage, done, total)

    return fit(
        images,
        folder,
        encoder=encoder,
        device=device,
        precision=precision,
        timeout=limits.seconds,
        on_progress=report,
    )


def write_reports(store: RunStore, out: Path | str, on_progress: OnProgress = silent) -> None:
    """Write objects.json, failed.jsonl and gallery.html from what is stored."""
    on_progress("reports", 0, 2)
    with timed("reports"):
        write_coco(store.records(), inside(out, "objects.json"))
        on_progress("reports", 1, 2)
        write_failures(store.failures(), inside(out, FAILURES))
    on_progress("reports", 2, 2)
    write_gallery(store, inside(out, GALLERY), on_progress)

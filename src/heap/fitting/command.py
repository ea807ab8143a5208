"""All of `heap fit`: list images, compute features, train, check, save."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from heap.base.cache import cache_dir
from heap.base.device import count_processes, process_number
from heap.base.files import make_folder
from heap.base.interrupt import Interruptible
from heap.base.lock import RunLock
from heap.base.numbers import real_number
from heap.base.progress import OnProgress, silent
from heap.base.sampling import spread_evenly
from heap.config import FeatureConfig, FitConfig, HeadConfig, LossConfig, Precision
from heap.encoder.load import load_encoder
from heap.encoder.precision import usual_state
from heap.encoder.registry import recipe
from heap.encoder.whereabouts import lasting_name, note_place
from heap.features.store import FeatureStore
from heap.fitting.collect import Collected, collect
from heap.fitting.comparing import learn_to_compare
from heap.fitting.folder import name_of_encoder, refuse_strangers
from heap.fitting.processes import waiting_for_each_other
from heap.fitting.things import learn_things
from heap.fitting.training import train_head
from heap.images import Limits, Source, list_images
from heap.images.failures import FAILURES, Failure, write_failures
from heap.images.named import Images, split_images, spool
from heap.images.skipped import Skipped
from heap.model.heap import Heap
from heap.model.saved import ModelConfig


@usual_state()
def fit(
    images: Images,
    out: Path | str,
    *,
    encoder: str = "embedded",
    features: FeatureConfig | None = None,
    head: HeadConfig | None = None,
    losses: LossConfig | None = None,
    config: FitConfig | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    cache: Path | str | None = None,
    timeout: float = Limits().seconds,
    on_skipped: Callable[[Skipped], None] = lambda skipped: None,
    on_progress: OnProgress = silent,
) -> Heap:
    """Fit a head on unlabelled images and save the model in `out`.

    `images` are places, or images with names, as `heap.discover` takes them. Of an iterator it
    keeps up to twice as many as are used in temporary files, spread evenly over all that come.
    Settings that are None are those of the recipe of `encoder`; `features` name an encoder
    themselves. Images that cannot be used, or take longer than `timeout` seconds to be read or to
    be decoded, are left out and listed in `failed.jsonl` there. `on_skipped` is told what the
    listing passed over, if anything.

    The same call goes on where an earlier one was stopped, and ends with the same model. Features
    are kept in `cache` (default: the user's cache folder) and serve later fits. Of several
    processes, one on each device, all compute features and return the same model.

    Raises:
        FitError: if there is nothing to learn from, or the head is of no use: collapsed, constant,
            or without a foreground.
        InputError, ConfigError, WeightsError: for images, settings or an encoder that do not work,
            or if `out` holds something that is no model of ours.
    """
    usual = recipe(features.encoder if features else encoder)
    features = features or usual.features(encoder)
    losses, config = losses or usual.losses, config or usual.fit
    out = Path(out)
    # Folder and images before the encoder: loading it takes seconds, and may need the network.
    refuse_strangers(out)
    # Longer waits are more than clocks of the system can count; this is eleven days.
    limits = Limits(seconds=real_number("timeout", timeout, least=0, most=1_000_000))
    with TemporaryDirectory(prefix="heap-fit-") as spooled:
        sources = _choose_images(images, config.images, Path(spooled), on_skipped)
        return _fit(
            sources, out, features, head or usual.head, losses, config, device, precision, cache,
            limits, on_progress,
        )  # fmt: skip


def _fit(
    sources: list[Source],
    out: Path,
    features: FeatureConfig,
    head: HeadConfig,
    losses: LossConfig,
    config: FitConfig,
    device: str,
    precision: Precision,
    cache: Path | str | None,
    limits: Limits,
    on_progress: OnProgress,
) -> Heap:
    loaded = load_encoder(features.encoder, device=device, precision=precision)
    note_place(features.encoder, loaded.fingerprint)
    name = name_of_encoder(out, loaded.fingerprint) or lasting_name(features.encoder)
    make_folder(out)
    store = FeatureStore(Path(cache) if cache else cache_dir() / "features", loaded, features)
    model_config = ModelConfig(
        features=replace(features, encoder=name),
        head=head,
        encoder_fingerprint=loaded.fingerprint,
    )
    model = Heap(loaded, model_config)
    number, count = process_number(), count_processes()
    with (
        waiting_for_each_other() as wait,
        RunLock(out) if number == 0 else nullcontext(),
        Interruptible() as stop,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):

        def on_stage(stage: str, done: int, total: int | None) -> None:
            if number == 0:
                on_progress(stage, done, total)
            stop.check()

        if count > 1:
            collect(sources[number::count], loaded, store, pool, on_stage, limits, least=0)
            wait()
        if number == 0:
            collected = collect(sources, loaded, store, pool, on_stage, limits)
            _train_and_save(model, collected, losses, config, out, on_stage)
        wait()
    return model if number == 0 else Heap.from_pretrained(out, device=device, precision=precision)


def _choose_images(
    images: Images, max_count: int, folder: Path, on_skipped: Callable[[Skipped], None]
) -> list[Source]:
    """Choose the images to learn from; those that are in memory are written to `folder`."""
    places, pairs = split_images(images)
    if pairs is not None:
        with Interruptible() as stop, ThreadPoolExecutor(os.cpu_count()) as pool:
            return spread_evenly(spool(pairs, folder, max_count, pool, stop.check), max_count)
    listing = list_images(places or ())
    sources = spread_evenly(listing, max_count)
    # Only now, for a listing goes on while it is read.
    if listing.skipped and process_number() == 0:
        on_skipped(listing.skipped)
    return sources


def _train_and_save(
    model: Heap,
    images: Collected,
    losses: LossConfig,
    config: FitConfig,
    out: Path,
    on_progress: OnProgress,
) -> None:
    """Train the head and what tells its things apart, and save the model with how it came about."""
    failures = [Failure(error.key, error.stage, error.reason) for error in images.failures]
    # Before training, so that the list is there even if that fails.
    write_failures(failures, out / FAILURES)
    trained = train_head(model, images, losses, config, out, on_progress)
    learn_things(model, images, on_progress)
    learn_to_compare(model, images, on_progress)
    left_out = {"without_contrast": images.flat, "copies": images.copies}
    provenance = trained.provenance() | {"left_out": left_out}
    model.config = replace(model.config, provenance=provenance)
    model.save_pretrained(out)
    model.location = str(out.resolve())

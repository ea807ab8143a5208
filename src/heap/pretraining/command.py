"""All of `heap pretrain` and `heap pack`: decode the images into memory, train, save."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image

from heap.base.device import process_number
from heap.base.errors import InputError
from heap.base.files import make_folder
from heap.base.interrupt import Interruptible
from heap.base.lock import RunLock
from heap.base.numbers import whole_number
from heap.base.progress import OnProgress, silent
from heap.base.sampling import spread_evenly
from heap.config import from_dict
from heap.encoder import hub
from heap.encoder.registry import resolve
from heap.features.colour_prior import SMOOTHING_GRID, smoothed_prior
from heap.images import ImageError, Source, list_images
from heap.images.failures import FAILURES, Failure, write_failures
from heap.images.listing import Place
from heap.images.prefetch import chunks, map_ahead, read_picture
from heap.images.skipped import Skipped
from heap.pretraining.architectures import find_teacher_blocks
from heap.pretraining.config import PretrainConfig, usual_settings
from heap.pretraining.loop import run
from heap.pretraining.photos import Photos, read_packs
from heap.pretraining.quality import measure

SIDE = 128
"""Side of the squares that images are held as, in pixels."""
PACK = ".safetensors"
"""Suffix of packs."""
_SHOWN = ("image", "patch", "dense", "distill", "class", "alike", "same")
"""Losses that progress is reported with."""

OnSkipped = Callable[[Skipped], None]
Loaded = tuple[UInt8[np.ndarray, "3 side side"], Float32[np.ndarray, "cells cells"]]


def pretrain(
    images: Place | Sequence[Place],
    out: Path | str,
    *,
    config: PretrainConfig | None = None,
    side: int | None = None,
    limit: int | None = None,
    start: str | None = None,
    teacher: str | None = None,
    teacher_blocks: int | None = None,
    quality: Path | str | None = None,
    quality_every: int = 1000,
    on_skipped: OnSkipped = lambda skipped: None,
    on_progress: OnProgress = silent,
) -> None:
    """Pretrain an encoder on unlabelled images, or packs of them, into the folder `out`.

    The same call goes on where an earlier one was stopped. Images are held as squares of `side`
    pixels, at most `limit` of them, spread evenly over those listed. `start` names an encoder whose
    weights training starts from (`embedded`, or a folder), `teacher` a stronger one to learn from,
    which a weight of `config` has to ask for; its features of the images are computed once, and
    kept in `out`. With `teacher_blocks` the student begins as so many blocks of it, the first, or
    as `start`, a student that began so. `quality` is a folder with images/ and masks/ on which
    TokenCut and a quickly fitted head are scored every `quality_every` steps. Images that cannot be
    used are left out and listed in `failed.jsonl` in `out`; `on_skipped` is told what the listing
    passed over.

    Raises:
        InputError: if fewer than two images can be read, `start` is no encoder here, or the teacher
            has no such blocks.
        ConfigError: if `out` holds other settings, naming the keys, or features of another teacher.
        WeightsError: if the teacher cannot be fetched.
        FitError: if the loss is not finite.
    """
    quality_every = whole_number("quality_every", quality_every, least=1)
    # With a teacher, only its features are learned, unless `config` asks for more.
    config = config or from_dict(PretrainConfig, usual_settings(teacher, teacher_blocks))
    side = _choose_side(config) if side is None else whole_number("side", side, least=2)
    out, start_folder = Path(out), _find_start(start)
    teacher_folder = _fetch_teacher(teacher)
    if teacher_blocks is not None:
        start_folder = find_teacher_blocks(start_folder, teacher_folder)
    make_folder(out)
    # Of several processes, one on each device, all hold the images, and the first writes and talks.
    first = process_number() == 0
    if not first:
        on_skipped, on_progress = (lambda skipped: None), silent
    with RunLock(out) if first else nullcontext(), Interruptible() as stop:
        photos, failures = _load_photos(images, side, limit, on_skipped, on_progress)
        if first:
            write_failures(failures, out / FAILURES)

        def on_lesson(stage: str, done: int, total: int | None) -> None:
            on_progress(stage, done, total)
            stop.check()

        def on_step(progress: float, losses: dict[str, float]) -> None:
            on_progress(_describe_step(losses), round(1000 * progress), 1000)
            stop.check()

        def score(encoder: Path) -> dict[str, float]:
            return asdict(measure(encoder, Path(quality), out / "quality")) if quality else {}

        run(
            photos, out, config, on_step, start=start_folder, blocks=teacher_blocks,
            teacher=teacher, on_progress=on_lesson, measure=score if quality else None,
            measure_every=quality_every,
        )  # fmt: skip


def pack(
    images: Place | Sequence[Place],
    stem: Path | str,
    *,
    side: int = SIDE,
    most_bytes: int = 60_000_000,
    on_skipped: OnSkipped = lambda skipped: None,
    on_progress: OnProgress = silent,
) -> list[Path]:
    """Write the images into packs `stem`-001.safetensors and so on, for `pretrain` elsewhere.

    Images that cannot be used are left out, and listed in `stem`-failed.jsonl; `on_skipped` is told
    what the listing passed over, if anything.

    Raises:
        InputError: if fewer than two images can be read.
    """
    side, stem = whole_number("side", side, least=2), Path(stem)
    make_folder(stem.parent)
    photos, failures = _load_photos(images, side, None, on_skipped, on_progress)
    paths = photos.write(stem, most_bytes)
    if failures:
        write_failures(failures, failures_of(stem))
    else:
        failures_of(stem).unlink(missing_ok=True)
    return paths


def failures_of(stem: Path) -> Path:
    """File in which `pack` lists the images that it has left out."""
    return stem.with_name(f"{stem.name}-{FAILURES}")


def _describe_step(losses: dict[str, float]) -> str:
    shown = ", ".join(f"{name} {losses[name]:.3f}" for name in _SHOWN if name in losses)
    return f"pretraining: {shown}"


def _choose_side(config: PretrainConfig) -> int:
    """Side of the squares: with a teacher, large enough for it to see the images sharp."""
    return max(SIDE, config.teacher_resolution) if config.taught else SIDE


def _load_photos(
    images: Place | Sequence[Place],
    side: int,
    limit: int | None,
    on_skipped: OnSkipped,
    on_progress: OnProgress,
) -> tuple[Photos, list[Failure]]:
    places = [images] if isinstance(images, str | os.PathLike) else list(images)
    packs = [Path(str(place)) for place in places if str(place).endswith(PACK)]
    if packs and len(packs) < len(places):
        raise InputError("give either packs or images, not both")
    if packs:
        if limit is not None:
            raise InputError("packs are taken whole: leave --limit out")
        return read_packs(packs), []
    if side % 2:
        raise InputError(f"the side {side} is odd: colour is kept at half of it")
    listing = list_images(images)
    sources = list(listing)
    if listing.skipped:
        on_skipped(listing.skipped)
    if limit is not None:
        sources = spread_evenly(sources, limit)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # Far ahead, for images differ in size: 64 are enough to keep all threads at work.
        loaded = map_ahead(sources, lambda source: _load(source, side), pool, 64)
        return _gather(loaded, len(sources), on_progress)


def _load(source: Source, side: int) -> Loaded | ImageError:
    picture = read_picture(source)
    if isinstance(picture, ImageError):
        return picture
    # Squeezed, so that all images are one tensor; crops stretch them at random anyhow.
    image = Image.fromarray(picture.pixels).resize((side, side), Image.Resampling.BICUBIC)
    prior = smoothed_prior(picture.pixels, SMOOTHING_GRID)
    return np.asarray(image).transpose(2, 0, 1).copy(), prior


def _gather(
    loaded: Iterable[Loaded | ImageError], total: int, on_progress: OnProgress
) -> tuple[Photos, list[Failure]]:
    parts, failures, count = [], [], 0
    # In parts, because RGB takes twice the memory of the planes that are kept.
    for part in chunks(loaded, 512):
        good = [image for image in part if not isinstance(image, ImageError)]
        failures += [
            Failure(error.key, error.stage, error.reason)
            for error in part
            if isinstance(error, ImageError)
        ]
        count += len(part)
        on_progress("images", count, total)
        if good:
            pixels = torch.from_numpy(np.stack([pixels for pixels, _ in good]))
            priors = torch.from_numpy(np.stack([prior for _, prior in good]))
            parts.append(Photos.from_rgb(pixels, priors))
    kept = sum(map(len, parts))
    if kept < 2:
        why = f"; {failures[0].key}: {failures[0].reason}" if failures else ""
        raise InputError(
            f"pretraining needs at least two images; {kept} of {total} can be read{why}"
        )
    return Photos.concatenate(parts), failures


def _fetch_teacher(teacher: str | None) -> Path | None:
    """Fetch the teacher before the images are read, which takes long; returns its place."""
    place = None if teacher is None else resolve(teacher)
    return hub.fetch(place) if isinstance(place, str) else place


def _find_start(name: str | None) -> Path | None:
    if name is None:
        return None
    place = resolve(name)
    if not isinstance(place, Path):
        raise InputError(f"--start {name} is not on this machine: fetch it, and name its folder")
    return place

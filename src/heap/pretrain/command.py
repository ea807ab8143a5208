"""The whole of `heap pretrain`: decode the images into memory, train, save."""

import logging
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from scipy.special import expit
from torch import Tensor

from heap.collection.lock import lock_run
from heap.config import PretrainConfig
from heap.errors import InputError
from heap.images import ImageError, Source, list_images
from heap.images.listing import Place
from heap.interrupt import Interruptible
from heap.peers.boundary import LIKELY_SLOPE, LIKELY_THRESHOLD, BoundaryPrior
from heap.pretrain.trainer import Pretrainer, train
from heap.progress import OnProgress, silent
from heap.reading import ahead, read_picture
from heap.report.files import make_folder

logger = logging.getLogger(__name__)

PRIOR_GRID = (28, 28)

Loaded = tuple[UInt8[np.ndarray, "3 side side"], Float32[np.ndarray, "grid grid"]]


def pretrain(
    images: Place | Sequence[Place],
    out: Path | str,
    config: PretrainConfig | None = None,
    on_progress: OnProgress = silent,
) -> None:
    """Pretrain an encoder on unlabelled images into the folder `out`, in transformers' format.

    The same call goes on where an earlier one was stopped. Images are held in memory as squares.

    Raises:
        InputError: if fewer than two images can be read.
        ConfigError: if `out` holds a pretraining with other settings, naming the keys.
        FitError: if the loss is not finite.
    """
    config, out = config or PretrainConfig(), Path(out)
    sources = list(list_images(images))
    make_folder(out)
    with lock_run(out), Interruptible() as stop, ThreadPoolExecutor(os.cpu_count()) as pool:
        loaded = ahead(sources, lambda source: _load(source, config.memory_side), pool, 64)
        pixels, priors = _gather(loaded, len(sources), on_progress)

        def on_step(step: int, losses: dict[str, float]) -> None:
            on_progress(f"pretraining, prior loss {losses['prior']:.3f}", step, config.steps)
            stop.check()

        train(Pretrainer(pixels, priors, config), out, on_step)


def _load(source: Source, side: int) -> Loaded | ImageError:
    picture = read_picture(source)
    if isinstance(picture, ImageError):
        return picture
    prior = BoundaryPrior()(picture.pixels, PRIOR_GRID)
    image = Image.fromarray(picture.pixels).resize((side, side), Image.Resampling.BICUBIC)
    certain = expit(LIKELY_SLOPE * (prior - LIKELY_THRESHOLD))
    return np.asarray(image).transpose(2, 0, 1).copy(), certain.astype(np.float32)


def _gather(
    loaded: Iterable[Loaded | ImageError], total: int, on_progress: OnProgress
) -> tuple[UInt8[Tensor, "image 3 side side"], Float32[Tensor, "image grid grid"]]:
    pixels, priors = [], []
    for number, found in enumerate(loaded, start=1):
        on_progress("images", number, total)
        if isinstance(found, ImageError):
            logger.warning("left out %s", found)
            continue
        pixels.append(torch.from_numpy(found[0]))
        priors.append(torch.from_numpy(found[1]))
    if len(pixels) < 2:
        raise InputError(f"pretraining needs at least two images; {len(pixels)} of {total} can be "
                         "read")  # fmt: skip
    return torch.stack(pixels), torch.stack(priors)

"""How good an encoder is for finding objects: TokenCut on its features, and a quick HEAP head."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from accelerate.state import AcceleratorState, PartialState
from jaxtyping import Float32

from heap.config import Facet, FeatureConfig, FitConfig, LossConfig
from heap.encoder.encoder import Encoder
from heap.encoder.pyramid import Pyramid
from heap.errors import FitError
from heap.evaluation.saliency import score_map
from heap.evaluation.samples import Sample, samples
from heap.features import FeatureStore, PatchFeatures
from heap.fit.collect import Collected, collect
from heap.fit.command import fit
from heap.peers.tokencut import tokencut
from heap.progress import silent
from heap.report.files import make_folder

logger = logging.getLogger(__name__)

Method = Callable[[PatchFeatures], Float32[np.ndarray, "grid_h grid_w"]]
"""From the features of an image to its saliency."""


@dataclass(frozen=True)
class Quality:
    """Means over the images, in percent."""

    tokencut_iou: float
    """Of TokenCut's foreground, the whole side of its seed."""
    tokencut_corloc: float
    """Of the box of the largest 4-connected part of it."""
    heap_iou: float
    heap_corloc: float


def measure(
    encoder: Path,
    data: Path,
    work: Path,
    *,
    resolution: int = 224,
    steps: int = 60,
    limit: int | None = None,
) -> Quality:
    """Score the encoder in the folder `encoder` on the images of `data`, see `samples`.

    The head is fitted in so many `steps` on the same images, without their masks and with the
    boundary prior; if it comes out unusable, it finds nothing. Maps are upsampled bilinearly and
    cut at one half. Always in fp32, so that figures of different processors can be compared.
    `work` is for temporary files. May be called between two steps of a training: that goes on as
    if nothing had been.

    Raises:
        InputError: if `data` or `encoder` is not what it should be.
        WeightsError: if the weights of the encoder cannot be used.
        ImageError: if an image cannot be used.
    """
    used = samples(data, limit)
    # Absolute, so that it cannot be taken for an alias.
    name = str(encoder.absolute())
    loaded = Encoder.load(name, precision="fp32")
    features = FeatureConfig(encoder=name, facet=facet_of(loaded), resolution=resolution)
    make_folder(work)
    with _apart(), TemporaryDirectory(dir=work) as folder:
        store = FeatureStore(Path(folder) / "features", loaded, features)
        images = _describe(used, loaded, store)
        cut = _score(used, images, _tokencut)
        head = _score(used, images, _fitted(used, features, steps, Path(folder)))
    return Quality(*cut, *head)


def facet_of(encoder: Encoder) -> Facet:
    """Keys where the encoder has them."""
    return "token" if isinstance(encoder, Pyramid) else "key"


def _describe(used: Sequence[Sample], encoder: Encoder, store: FeatureStore) -> Collected:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        images = collect([sample.source for sample in used], encoder, store, pool, silent)
    for failure in images.failures:
        raise failure
    return images


def _tokencut(image: PatchFeatures) -> Float32[np.ndarray, "grid_h grid_w"]:
    return tokencut(image.patches, image.grid).partition.astype(np.float32)


def _fitted(used: Sequence[Sample], features: FeatureConfig, steps: int, folder: Path) -> Method:
    """The saliency of a head that is fitted in `folder`, on the features that are there."""
    try:
        heap = fit(
            [sample.image for sample in used],
            folder / "head",
            features=features,
            losses=LossConfig(prior="boundary"),
            config=FitConfig(steps=steps),
            precision="fp32",
            cache=folder / "features",
        )
    except FitError as error:
        logger.warning("the head on %s counts as finding nothing: %s", features.encoder, error)
        return lambda image: np.zeros(image.grid, dtype=np.float32)
    return lambda image: heap.group(image).saliency[0].reshape(image.grid).numpy()


def _score(used: Sequence[Sample], images: Collected, method: Method) -> tuple[float, float]:
    """Mean IoU and CorLoc, in percent."""
    scores = [
        score_map(method(images[number]), sample.truth()) for number, sample in enumerate(used)
    ]
    iou, corloc = np.mean([(each.iou, each.corloc) for each in scores], axis=0)
    return 100 * float(iou), 100 * float(corloc)


@contextmanager
def _apart() -> Iterator[None]:
    """Give the process its random numbers and its accelerator back as they were.

    There is one state of accelerate in a process, and fitting a head puts its own in that place.
    """
    states = (AcceleratorState._shared_state, PartialState._shared_state)
    kept = [dict(state) for state in states]
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for state, values in zip(states, kept, strict=True):
            state.clear()
            state.update(values)

"""Quality of an encoder for finding objects: TokenCut on its features, and a quick HEAP head."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from heap.base.errors import FitError, ImageError
from heap.base.files import make_folder
from heap.benchmark.datasets import open_dataset
from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.results import Results
from heap.benchmark.run.bench import Bench, Entry
from heap.benchmark.run.evaluate import Task, score_methods
from heap.benchmark.run.methods import METHODS
from heap.config import FeatureConfig, FitConfig, LossConfig
from heap.encoder.registry import recipe

logger = logging.getLogger(__name__)

SALIENCY, CORLOC = "saliency-found-v1", "corloc-found-v1"
"""Protocols of the figures."""


@dataclass(frozen=True)
class Quality:
    """Means over the images, in percent."""

    tokencut_iou: float
    """IoU of TokenCut's foreground, the whole side of its seed."""
    tokencut_corloc: float
    """CorLoc of the box of the largest 4-connected part of it."""
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
    """Score the encoder in the folder `encoder` on at most `limit` images of `data`.

    Those are `data`/images/NAME.jpg, or of another format, with `data`/masks/NAME.png. The head is
    fitted in `steps` steps on the same images, without their masks and with the boundary prior; if
    it is unusable, it counts as finding nothing. All is computed in fp32, so that figures of
    different processors can be compared. `work` is for temporary files. It may be called between
    two steps of a training, which is not changed by it.

    Raises:
        InputError: if `data` is no data set, or `encoder` no encoder.
        WeightsError: if the weights of the encoder cannot be used.
        ImageError: if an image cannot be used.
    """
    dataset = open_dataset(f"folder:{data}", limit)
    task = Task([PROTOCOLS[SALIENCY], PROTOCOLS[CORLOC]], dataset)
    # Absolute, so that it cannot be taken for an alias.
    name = str(encoder.absolute())
    features = FeatureConfig(
        encoder=name, facet=recipe(name).feature_config.facet, resolution=resolution
    )
    make_folder(work)
    with torch.random.fork_rng(devices=[]), TemporaryDirectory(dir=work) as folder:
        bench = Bench(
            features,
            photos=[str(example.image) for example in dataset.examples],
            cache=Path(folder) / "features",
            precision="fp32",
        )
        cut = _score(task, bench, Path(folder), "tokencut", {"whole": True})
        head = _score_head(task, bench, Path(folder), steps)
    return Quality(*cut, *head)


def _score_head(task: Task, bench: Bench, folder: Path, steps: int) -> tuple[float, float]:
    # All settings are named, so that encoders with different recipes are taught alike.
    settings = {
        "losses": asdict(LossConfig(prior="boundary")),
        "fit": asdict(FitConfig(steps=steps)),
    }
    try:
        return _score(task, bench, folder, "heap", settings)
    except FitError as error:
        encoder = bench.features.encoder
        logger.warning("the head on %s counts as finding nothing: %s", encoder, error)
        return 0.0, 0.0


def _score(
    task: Task, bench: Bench, folder: Path, method: str, settings: dict[str, Any]
) -> tuple[float, float]:
    """IoU and CorLoc, in percent."""
    out = folder / f"{method}.json"
    entry = Entry(METHODS[method], out, settings, model=folder / method)
    [results] = score_methods(task, bench, [entry])
    # A mean over other images than those of the step before could not be compared with it.
    for failure in results.data.failed:
        raise ImageError(failure.image, failure.stage, failure.reason)
    return _percent(results, SALIENCY, "iou"), _percent(results, CORLOC, "corloc")


def _percent(results: Results, protocol: str, metric: str) -> float:
    return round(100 * (results.protocols[protocol].metrics[metric].value or 0.0), 3)

"""Scores models on features that were computed once, and measures what a head costs."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.scoring import Scores, read, score_oracle, score_saliency
from heap.base.progress import silent
from heap.benchmark.truth import Example
from heap.features.describe import PatchFeatures, describe, geometry
from heap.features.store import FeatureStore
from heap.fitting.collect import Collected, collect
from heap.images import Picture, list_images
from heap.methods.finding import Observed
from heap.methods.found import Found, FoundSeed
from heap.model.heap import Heap

REPEATS = 30
"""Repeats of each timing; the median is taken."""

Method = Callable[[PatchFeatures], tuple[np.ndarray, np.ndarray | None]]
"""From features to the saliency on the grid, and the label map of the regions if there are any."""


@dataclass(frozen=True)
class Judge:
    """Images with masks, and their features."""

    examples: Sequence[Example]
    features: Collected

    def __call__(self, method: Method) -> dict[str, Scores]:
        """The scores of a method, by image."""
        assert len(self.features) == len(self.examples)
        return {
            example.key: self._score(example, *method(self.features[number]))
            for number, example in enumerate(self.examples)
        }

    def _score(self, example: Example, saliency: np.ndarray, labels: np.ndarray | None) -> Scores:
        picture, truth = read(example)
        scores = score_saliency(saliency, picture, truth)
        return scores if labels is None else scores | score_oracle(labels, truth)


def features_of(heap: Heap, images: list[Path], work: Path) -> Collected:
    """Features for the head of `heap`, from the store where they are there already."""
    store = FeatureStore(work / "cache", heap.encoder, heap.config.features)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return collect(list(list_images(images)), heap.encoder, store, pool, silent)


def by_head(heap: Heap) -> Method:
    """The saliency and the regions of a fitted head."""

    def method(features: PatchFeatures) -> tuple[np.ndarray, np.ndarray | None]:
        seen = heap.analyse(features)
        return seen.saliency, seen.regions.label_map

    return method


def by_found(layer: Found | FoundSeed) -> Method:
    """The saliency of FOUND's layer or of its seed, which look at features only."""
    unseen = np.zeros((1, 1, 3), dtype=np.uint8)

    def method(features: PatchFeatures) -> tuple[np.ndarray, np.ndarray | None]:
        return layer(Observed(features, unseen)).saliency, None

    return method


def head_cost(heap: Heap, picture: Picture) -> dict[str, Any]:
    """Weights of the head and of the encoder, and milliseconds that each takes for one image."""
    config = heap.config.features
    resized = geometry(picture, heap.encoder, config).resize(picture.pixels)
    pixels = torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255
    features = describe(heap.encoder, [picture], config)[0]
    return {
        "head_parameters": _weights(heap.head),
        "encoder_parameters": _weights(heap.encoder),
        "head_ms": _milliseconds(lambda: heap.group(features)),
        "encoder_ms": _milliseconds(lambda: heap.encoder(pixels, config.layer, config.facet)),
        "threads": torch.get_num_threads(),
    }


def _weights(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _milliseconds(work: Callable[[], object]) -> float:
    work()  # the first call makes what later ones use again
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds)

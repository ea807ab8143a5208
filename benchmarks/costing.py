"""Cost of one method on a few photos, measured in a process of its own for its memory.

`python -m benchmarks.costing METHOD SIDE PHOTO ...` prints processor time of encoder and method.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import torch
from jaxtyping import Float64
from scipy.linalg import eigh

from heap.features.describe import describe
from heap.images import Source, decode
from heap.masks.bilateral_solver import BilateralGrid, solve_mask
from heap.masks.guided_filter import resize
from heap.methods.deepspectral import DeepSpectral
from heap.methods.finding import THRESHOLD, Method, Observed
from heap.methods.found import Found, FoundLayer
from heap.methods.graph import affinity, checked_vectors
from heap.methods.lost import Lost
from heap.methods.maskcut import MaskCut
from heap.methods.tokencut import TokenCut
from heap.model.heap import Heap
from heap.model.objects import find_objects

MODEL = "embedded"
Solve = Callable[[Observed], object]
"""Function from the features of an image to masks at the size of the image."""


def measure(method: str, side: int, photos: list[Path]) -> dict[str, float]:
    """Median processor time in milliseconds for a photo, of the encoder and of what comes after."""
    torch.set_num_threads(1)
    heap = Heap.from_pretrained(MODEL)
    solve = METHODS[method](heap)
    config = replace(heap.config.features, resolution=side)
    pictures = [decode(Source(path.name, str(path))) for path in photos]
    times = []
    # The first pass imports and prepares kernels.
    for picture in [pictures[0], *pictures]:
        began = process_time()
        (features,) = describe(heap.encoder, [picture], config)
        described = process_time()
        solve(Observed(features, picture.pixels))
        times.append((described - began, process_time() - described))
    encoder, after = (1000 * median(column) for column in zip(*times[1:], strict=True))
    return {"encoder_ms": encoder, "ms": after}


def _heap(heap: Heap, *, refine: bool) -> Solve:
    config = replace(heap.defaults, refine=refine)

    def solve(image: Observed) -> object:
        height, width, _ = image.pixels.shape
        analysis = heap.analyse(image.features)
        return find_objects(analysis, image.pixels, (width, height), config)

    return solve


def _peer(method: Method, *, solver: bool = False) -> Solve:
    """Peer whose saliency is brought to the size of the image, where asked for by the solver."""

    def solve(image: Observed) -> object:
        height, width, _ = image.pixels.shape
        saliency = resize(method(image).saliency, (height, width))
        if solver:
            return solve_mask(BilateralGrid.of(image.pixels), saliency)[1]
        return saliency > THRESHOLD

    return solve


def _found(heap: Heap) -> Method:
    # An untrained layer takes as long as a trained one.
    return Found(FoundLayer(heap.encoder.dim).requires_grad_(False))


def _dense(image: Observed) -> Float64[np.ndarray, "patch vector"]:
    """TokenCut's eigenvectors as it is published: of the whole matrix, by LAPACK."""
    graph = affinity(checked_vectors(image.features.patches, image.features.grid), 0.2)
    degrees = np.diag(graph.sum(axis=1))
    vectors: np.ndarray = eigh(degrees - graph, degrees, subset_by_index=[1, 2])[1]
    return vectors


METHODS: dict[str, Callable[[Heap], Solve]] = {
    "heap": lambda heap: _heap(heap, refine=False),
    "heap, refined": lambda heap: _heap(heap, refine=True),
    "found": lambda heap: _peer(_found(heap)),
    "found, solver": lambda heap: _peer(_found(heap), solver=True),
    "lost": lambda heap: _peer(Lost()),
    "deepspectral": lambda heap: _peer(DeepSpectral()),
    "tokencut": lambda heap: _peer(TokenCut()),
    "tokencut, as published": lambda heap: _dense,
    "maskcut": lambda heap: _peer(MaskCut()),
}
"""What makes each, from the model whose encoder all of them use."""


if __name__ == "__main__":
    name, side, *photos = sys.argv[1:]
    print(json.dumps(measure(name, int(side), [Path(photo) for photo in photos])))

"""Features of whole images, and their clusters: what categories of objects are compared with."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from safetensors.torch import load_file, save_file
from sklearn.cluster import KMeans

from heap.benchmark.truth import Example
from heap.features.describe import describe, geometry
from heap.images import Picture
from heap.model.embedding import embed, whole_box
from heap.model.heap import Heap
from heap.store.columns import unit_vectors

VARIANTS = {
    "as objects": "what an object has: the encoder's own feature at the size of a box, whitened",
    "squeezed": "the same, not whitened",
    "pooled": "the encoder's own feature of the image, at the size at which objects are found",
    "mean": "mean of all patches that the head sees",
    "whitened": "the same, whitened by what was seen in fitting",
}
RESTARTS = 4
"""Restarts of k-means."""


def describe_all(
    heap: Heap, examples: Sequence[Example], folder: Path
) -> dict[str, Float32[np.ndarray, "image dim"]]:
    """Vectors of every variant for each image; they stay in a file and are not made again."""
    kept = folder / f"whole-{heap.encoder.fingerprint[:16]}.safetensors"
    if not kept.exists():
        described = [_describe(heap, example.picture()) for example in examples]
        kept.parent.mkdir(parents=True, exist_ok=True)
        arrays = {
            name: torch.from_numpy(np.stack([e[name] for e in described])) for name in VARIANTS
        }
        save_file(arrays, kept)
    return {name: tensor.numpy() for name, tensor in load_file(kept).items()}


def clustered(
    vectors: Float32[np.ndarray, "image dim"], count: int, seed: int
) -> Int64[np.ndarray, " image"]:
    """Clusters from 0 of the images, by the cosine of their vectors."""
    fitted = KMeans(count, n_init=RESTARTS, random_state=seed).fit(unit_vectors(vectors))
    return np.asarray(fitted.labels_, dtype=np.int64)


@torch.inference_mode()
def _describe(heap: Heap, picture: Picture) -> dict[str, Float32[np.ndarray, " dim"]]:
    (features,) = describe(heap.encoder, [picture], heap.config.features)
    crop = picture, whole_box(picture)
    whitened = heap.head.whitening(heap.head.subtract_centre(features.patches))
    return {
        "as objects": heap.embed([crop])[0],
        "squeezed": embed(heap.encoder, [crop], heap.defaults.crop)[0],
        "pooled": _pooled(heap, picture),
        "mean": features.patches.mean(dim=0).numpy(),
        "whitened": whitened.mean(dim=0).numpy(),
    }


def _pooled(heap: Heap, picture: Picture) -> Float32[np.ndarray, " dim"]:
    resized = geometry(picture, heap.encoder, heap.config.features).resize(picture.pixels)
    colours = torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255
    return np.asarray(heap.encoder.embed(colours)[0])

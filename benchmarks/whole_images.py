"""Features of whole images, and their clusters: what categories of objects are compared with."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from safetensors.torch import load_file, save_file
from sklearn.cluster import KMeans

from heap.collection.clustering import directions
from heap.encoder.vit import VisionTransformer
from heap.evaluation.truth import Example
from heap.features import describe, geometry
from heap.images import Picture
from heap.model.embedding import embed
from heap.model.heap import Heap

VARIANTS = {
    "whitened": "mean of all patches, whitened as embeddings of objects are",
    "mean": "mean of all patches",
    "pooled": "the encoder's own feature of the image: CLS token of the last layer, or mean of the "
    "last map",
}
RESTARTS = 4
"""Of k-means, as many as `heap categories` has."""


def describe_all(
    heap: Heap, examples: Sequence[Example], kept: Path
) -> dict[str, Float32[np.ndarray, "image dim"]]:
    """Vectors of every variant for each image; they stay in `kept` and are not made again."""
    if not kept.exists():
        found = [_describe(heap, example.picture()) for example in examples]
        kept.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: torch.from_numpy(np.stack([e[name] for e in found])) for name in VARIANTS}
        save_file(arrays, kept)
    return {name: tensor.numpy() for name, tensor in load_file(kept).items()}


def clustered(
    vectors: Float32[np.ndarray, "image dim"], count: int, seed: int
) -> Int64[np.ndarray, " image"]:
    """Clusters from 0 of the images, by the cosine of their vectors."""
    fitted = KMeans(count, n_init=RESTARTS, random_state=seed).fit(directions(vectors))
    return np.asarray(fitted.labels_, dtype=np.int64)


@torch.inference_mode()
def _describe(heap: Heap, picture: Picture) -> dict[str, Float32[np.ndarray, " dim"]]:
    (features,) = describe(heap.encoder, [picture], heap.config.features)
    return {
        "whitened": embed(heap, picture),
        "mean": features.patches.mean(dim=0).numpy(),
        "pooled": _pooled(heap, picture),
    }


def _pooled(heap: Heap, picture: Picture) -> Float32[np.ndarray, " dim"]:
    encoder = heap.encoder
    resized = geometry(picture, encoder, heap.config.features).resize(picture.pixels)
    pixels = torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255
    normalised = (pixels - encoder.mean) / encoder.std
    if isinstance(encoder, VisionTransformer):
        tokens = encoder.model(normalised, interpolate_pos_encoding=True).last_hidden_state
        return np.asarray(tokens[0, 0].numpy())
    return np.asarray(encoder.model(normalised).last_hidden_state[0].mean(dim=(-2, -1)).numpy())

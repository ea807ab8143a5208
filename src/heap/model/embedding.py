"""Embeddings of parts of pictures, to be compared with those of objects."""

import numpy as np
import torch
from jaxtyping import Float32, Float64

from heap.errors import InputError
from heap.features import describe
from heap.images import Picture
from heap.model.heap import Heap


@torch.inference_mode()
def embed(
    heap: Heap, picture: Picture, box: tuple[float, float, float, float] | None = None
) -> Float32[np.ndarray, " dim"]:
    """Embedding of what is in a box, xyxy in pixels of the upright original, or of all.

    It can be compared with the embeddings of objects. Each patch counts by its share of the
    box.

    Raises:
        InputError: if the box has no part of the picture in it.
    """
    (features,) = describe(heap.encoder, [picture], heap.config.features)
    whole = (0.0, 0.0, float(picture.width), float(picture.height))
    share = _share_of_cells(box or whole, (picture.width, picture.height), features.grid)
    # Not so for a box with a number that is none either.
    if not share.sum() > 0:
        raise InputError(
            f"there is nothing of {picture.key} in the box {box}; the image has "
            f"{picture.width} x {picture.height} pixels, a box is x1, y1, x2, y2"
        )
    patches = heap.head.centred(features.patches.to(heap.head.centre))
    mean = torch.from_numpy(share / share.sum()).to(patches) @ patches
    found: np.ndarray = heap.head.whitening(mean).cpu().numpy()
    return found


def _share_of_cells(
    box: tuple[float, float, float, float], size: tuple[int, int], grid: tuple[int, int]
) -> Float64[np.ndarray, " patch"]:
    """How much of each cell of the grid, which covers an image of `size`, lies in the box."""
    sides = []
    for low, high, length, cells in zip(box[:2], box[2:], size, grid[::-1], strict=True):
        edges = np.linspace(0, length, cells + 1)
        inside = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
        sides.append(inside.clip(min=0) / (length / cells))
    return np.outer(sides[1], sides[0]).ravel()

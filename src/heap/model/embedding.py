"""Embeddings of boxes of pictures, by which objects are compared across images."""

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from heap.base.errors import InputError
from heap.base.timing import timed
from heap.encoder.base import Encoder
from heap.features.describe import limit_batch, run_in_halves
from heap.images import Geometry, Picture

Box = Sequence[float]
"""Xyxy, in pixels of the upright original."""


def whole_box(picture: Picture) -> Box:
    """Box around all of a picture."""
    return 0.0, 0.0, float(picture.width), float(picture.height)


@torch.inference_mode()
def embed(
    encoder: Encoder, crops: Sequence[tuple[Picture, Box]], side: int, batch: int = 8
) -> Float32[np.ndarray, "crop dim"]:
    """Embed each box of a picture by the encoder itself, see `Encoder.embed`.

    Every pixel that the box touches is cut out, and the crop is squeezed to a square of `side`
    pixels, rounded to patches: an encoder has learned to sum up a picture in one feature, and here
    the picture is the object. At most `batch` crops go through together. Nothing is whitened yet,
    see `Heap.embed`. This is our choice; the published method has the mean feature of a region.

    Raises:
        InputError: if a box has nothing of its picture in it.
    """
    if not crops:
        return np.zeros((0, encoder.embedding_dim), dtype=np.float32)
    # Aspect ratio is not kept: all crops have one shape and go through the encoder in one batch.
    shape = Geometry.of_square(side, side, side, encoder.patch)
    size = limit_batch(encoder, shape.grid, batch)

    @timed("encoder on objects")
    def work(part: UInt8[Tensor, "_ side side 3"]) -> Float32[np.ndarray, "_ dim"]:
        # Encoders take channels first, colours in [0, 1].
        colours = part.to(encoder.mean.device).permute(0, 3, 1, 2).float() / 255
        vectors: np.ndarray = encoder.embed(colours).cpu().numpy()
        return vectors

    embeddings = []
    for start in range(0, len(crops), size):
        with timed("crops"):
            squares = [shape.resize(_cut(*crop)) for crop in crops[start : start + size]]
        embeddings += run_in_halves(work, torch.from_numpy(np.stack(squares)))
    return np.concatenate(embeddings)


def _cut(picture: Picture, box: Box) -> UInt8[np.ndarray, "height width 3"]:
    """Pixels of the picture, or of a reduced decoding of it, that a box touches."""
    height, width, _ = picture.pixels.shape
    # Boxes are in pixels of the original; large photos are decoded at a fraction of their size.
    x1, x2 = (x * width / picture.width for x in (box[0], box[2]))
    y1, y2 = (y * height / picture.height for y in (box[1], box[3]))
    # Written with `not`, so that a NaN, for which no comparison holds, is refused as well.
    if not (max(x1, 0) < min(x2, width) and max(y1, 0) < min(y2, height)):
        raise InputError(
            f"there is nothing of {picture.key} in the box {tuple(box)}; the image has "
            f"{picture.width} x {picture.height} pixels, a box is x1, y1, x2, y2"
        )
    # Clip before rounding: floor and ceil refuse the infinite edges of a box that is too large.
    rows = slice(floor(max(y1, 0)), ceil(min(y2, height)))
    cols = slice(floor(max(x1, 0)), ceil(min(x2, width)))
    return picture.pixels[rows, cols]

"""Small square pictures of single objects, cut out of the thumbnails of their images."""

from io import BytesIO

import numpy as np
from jaxtyping import Float32
from PIL import Image

from heap.masks.scaling import encoded

Box = Float32[np.ndarray, " 4"] | tuple[float, float, float, float]

TILE_SIDE = 160
"""Of a tile, in pixels."""
_MARGIN = 0.1
"""Of the longer side of the box, shown around it."""
_LEAST = 1 / 12
"""Of the longer side of the image: a smaller cut-out would be nothing but blur."""
_QUALITY = 80


def square_around(box: Box, size: tuple[int, int]) -> tuple[float, float, float]:
    """What a tile shows of an image of `size` (width, height): left, top and side of a square.

    The box and the square are in pixels of the upright original. The square has the box in its
    middle and some margin around it, and is moved to lie inside the image; it is never larger than
    the shorter side of the image, so that the ends of long objects may be missing.
    """
    x1, y1, x2, y2 = map(float, box)
    wanted = max(x2 - x1, y2 - y1) * (1 + 2 * _MARGIN)
    side = float(min(max(wanted, max(size) * _LEAST), *size))
    left = min(max(0.0, (x1 + x2 - side) / 2), size[0] - side)
    top = min(max(0.0, (y1 + y2 - side) / 2), size[1] - side)
    return left, top, side


def tile(thumbnail: bytes, box: Box, size: tuple[int, int], side: int = TILE_SIDE) -> bytes:
    """A JPEG of `side` pixels squared with an object, cut out of the thumbnail of its image.

    `box` is xyxy in pixels of the upright original, whose width and height are `size`. Without a
    thumbnail there is no tile: it is empty.
    """
    if not thumbnail:
        return b""
    left, top, across = square_around(box, size)
    with Image.open(BytesIO(thumbnail)) as whole:
        scale_x, scale_y = whole.width / size[0], whole.height / size[1]
        right, bottom = left + across, top + across
        part = (left * scale_x, top * scale_y, right * scale_x, bottom * scale_y)
        cut = whole.convert("RGB").resize((side, side), Image.Resampling.BICUBIC, box=part)
    return encoded(cut, "JPEG", quality=_QUALITY, optimize=True)

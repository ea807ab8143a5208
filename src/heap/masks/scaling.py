"""Images and masks at the size that they are shown at."""

from io import BytesIO

import numpy as np
from jaxtyping import Bool, Int64, UInt8
from PIL import Image

THUMBNAIL_SIDE = 480
_THUMBNAIL_QUALITY = 74


def fitted(size: tuple[int, int], max_side: int, *, enlarge: bool = False) -> tuple[int, int]:
    """`size` (width, height), aspect ratio kept, so that no side is over `max_side`.

    It is only ever reduced, unless `enlarge` makes the longest side `max_side` in any case.
    """
    scale = max_side / max(size)
    if not enlarge:
        scale = min(scale, 1)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def scaled_mask(
    mask: Bool[np.ndarray, "height width"], size: tuple[int, int]
) -> Bool[np.ndarray, "new_height new_width"]:
    """A mask at `size` (width, height): True where at least half of the pixel is inside."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(grey.resize(size, Image.Resampling.BILINEAR)) >= 128


def smooth_labels(
    label_map: Int64[np.ndarray, "grid_h grid_w"], size: tuple[int, int]
) -> Int64[np.ndarray, "height width"]:
    """The label map at `size` (width, height), its borders interpolated instead of stepped."""
    best = np.full((size[1], size[0]), -1, dtype=np.float32)
    labels = np.zeros(best.shape, dtype=np.int64)
    for region in np.unique(label_map):
        share = Image.fromarray((label_map == region).astype(np.float32))
        level = np.asarray(share.resize(size, Image.Resampling.BICUBIC))
        labels[level > best] = region
        best = np.maximum(best, level)
    return labels


def thumbnail(pixels: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """A small JPEG of the upright image, its longest side at most `THUMBNAIL_SIDE` pixels."""
    small = Image.fromarray(pixels)
    small = small.resize(fitted(small.size, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return encoded(small, "JPEG", quality=_THUMBNAIL_QUALITY, optimize=True, progressive=True)


def encoded(image: Image.Image, kind: str, **options: int | bool) -> bytes:
    """The bytes of an image file."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()

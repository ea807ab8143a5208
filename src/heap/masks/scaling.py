"""Images and masks scaled to the size that they are shown at."""

from io import BytesIO

import numpy as np
from jaxtyping import Bool, Int64, UInt8
from PIL import Image

THUMBNAIL_SIDE = 480
"""Longest side of a thumbnail in pixels."""
_THUMBNAIL_QUALITY = 74
"""JPEG quality, of 100."""


def fit_size(size: tuple[int, int], max_side: int, *, enlarge: bool = False) -> tuple[int, int]:
    """Scale `size` (width, height), aspect ratio kept, so that no side is over `max_side`.

    It is only ever reduced, unless `enlarge` makes the longest side `max_side` in any case.
    """
    scale = max_side / max(size)
    if not enlarge:
        scale = min(scale, 1)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def scale_mask(
    mask: Bool[np.ndarray, "height width"], size: tuple[int, int]
) -> Bool[np.ndarray, "new_height new_width"]:
    """Scale a mask to `size` (width, height): True where at least half of the pixel is inside."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(grey.resize(size, Image.Resampling.BILINEAR)) >= 128


def smooth_labels(
    label_map: Int64[np.ndarray, "grid_h grid_w"], size: tuple[int, int]
) -> Int64[np.ndarray, "height width"]:
    """Scale a label map to `size` (width, height), its borders interpolated instead of stepped."""
    # The largest share that a region has of each pixel so far; shares are at least 0, or a little
    # below where the cubic interpolation undershoots.
    best = np.full((size[1], size[0]), -1, dtype=np.float32)
    labels = np.zeros(best.shape, dtype=np.int64)
    for region in np.unique(label_map):
        share = Image.fromarray((label_map == region).astype(np.float32))
        level = np.asarray(share.resize(size, Image.Resampling.BICUBIC))
        labels[level > best] = region
        best = np.maximum(best, level)
    return labels


def thumbnail(pixels: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """Small JPEG of the upright image, its longest side at most `THUMBNAIL_SIDE` pixels."""
    small = Image.fromarray(pixels)
    small = small.resize(fit_size(small.size, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return encode_image(small, "JPEG", quality=_THUMBNAIL_QUALITY, optimize=True, progressive=True)


def encode_image(image: Image.Image, kind: str, **options: int | bool) -> bytes:
    """Encode an image as a file of this `kind`, with options of Pillow's writer."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()

"""Images and masks scaled to the size that they are shown at."""

from dataclasses import dataclass
from io import BytesIO
from math import ceil, floor

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
    scaled = np.zeros((size[1], size[0]), dtype=bool)
    rows, columns = (_span(mask, axis, size[1 - axis]) for axis in (0, 1))
    if rows and columns:
        # Only where the mask is: everything else is False, and most of most images.
        part = mask[rows.source, columns.source].astype(np.uint8) * 255
        small = Image.fromarray(part).resize(
            (columns.length, rows.length),
            Image.Resampling.BILINEAR,
            (columns.start, rows.start, columns.end, rows.end),
        )
        scaled[rows.target, columns.target] = np.asarray(small) >= 128
    return scaled


@dataclass(frozen=True)
class _Span:
    """Pixels along one axis that are scaled."""

    source: slice
    target: slice
    """Pixels that come from the source."""
    start: float
    end: float
    """Edges of the target in pixels of the source, from its first one."""

    @property
    def length(self) -> int:
        """Number of pixels of the target."""
        return int(self.target.stop - self.target.start)


def _span(mask: Bool[np.ndarray, "height width"], axis: int, length: int) -> _Span | None:
    """Pixels to be scaled so that all of `length` along an axis are right; None: there are none."""
    places, pixels = np.flatnonzero(mask.any(axis=1 - axis)), mask.shape[axis]
    if not len(places):
        return None
    scale = pixels / length
    # Bilinear interpolation looks one pixel of the coarser side to the left and to the right.
    reach = max(1.0, scale)
    target = slice(
        max(0, floor((places[0] - reach) / scale)),
        min(length, ceil((places[-1] + 1 + reach) / scale)),
    )
    start, end = target.start * scale, target.stop * scale
    source = slice(max(0, floor(start - reach)), min(pixels, ceil(end + reach)))
    # Rounding must not lead beyond the source.
    end = min(end - source.start, float(source.stop - source.start))
    return _Span(source, target, start - source.start, end)


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

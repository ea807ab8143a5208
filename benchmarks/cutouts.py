"""Objects cut out of photos by their masks, and grounds without an object."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from benchmarks.empty_images import background_box, not_background
from heap.benchmark.truth import Truth
from heap.model.objects import largest_piece, tight_box

AREA = (0.05, 0.4)
"""Share of its photo that an object may have."""
SLIMMEST = 1.5
"""No ground has a longer side of more than this many shorter ones: it is trimmed."""
GROUND = 0.25
"""Share of its photo that a ground has at least."""

Ground = UInt8[np.ndarray, "rows cols 3"]


@dataclass(frozen=True)
class Cutout:
    """An object in its tight box."""

    name: str
    """Name of the photo."""
    pixels: UInt8[np.ndarray, "height width 3"]
    mask: Bool[np.ndarray, "height width"]
    left: bool
    """Whether it touches this border of its photo, where it may have been cut off."""
    top: bool
    right: bool
    bottom: bool


def cut_out(name: str, pixels: UInt8[np.ndarray, "height width 3"], truth: Truth) -> Cutout | None:
    """The largest 4-connected part of the foreground.

    None if it is too small or too large, or touches two opposite borders: then there is no place
    for it in another picture where it would not end in mid-air.
    """
    assert truth.foreground is not None, "the data set has no masks"
    part = largest_piece(truth.foreground)
    if not AREA[0] <= part.mean() <= AREA[1]:
        return None
    height, width = part.shape
    x1, y1, x2, y2 = map(int, tight_box(part))
    left, top, right, bottom = x1 == 0, y1 == 0, x2 == width, y2 == height
    if (left and right) or (top and bottom):
        return None
    return Cutout(name, pixels[y1:y2, x1:x2], part[y1:y2, x1:x2], left, top, right, bottom)


def ground(pixels: UInt8[np.ndarray, "height width 3"], truth: Truth) -> Ground | None:
    """Most of the largest rectangle of a photo without an object; None if it is too small."""
    blocked = not_background(truth, boxes=False)
    if (span := background_box(blocked)) is None:
        return None
    rows = _trimmed(span[0], span[2], round(SLIMMEST * (span[3] - span[1])))
    cols = _trimmed(span[1], span[3], round(SLIMMEST * (span[2] - span[0])))
    clear = pixels[rows, cols]
    return clear if clear[..., 0].size >= GROUND * blocked.size else None


def _trimmed(low: int, high: int, most: int) -> slice:
    spare = max(0, high - low - most)
    return slice(low + spare // 2, low + spare // 2 + min(most, high - low))

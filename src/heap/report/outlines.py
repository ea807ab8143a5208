"""Masks and region maps in forms that a browser draws: SVG paths and small PNGs."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Int64
from PIL import Image

from heap.masks.palette import REGIONS, rgb
from heap.masks.scaling import THUMBNAIL_SIDE, encoded, fitted, smooth_labels
from heap.results import ImageResult, Regions

Ring = Int64[np.ndarray, "_ 2"]
"""Points (x, y) of a closed outline."""

_CANVAS_SIDE = THUMBNAIL_SIDE * 2
"""Outlines are finer than thumbnails, because they stay sharp when these are enlarged."""
_REGIONS_SIDE = THUMBNAIL_SIDE // 2
_INSIDE = 1 - 1e-6
"""Level of contours between background 0 and mask 1 that puts them on the centres of the mask."""
_TOLERANCE = 1.0
"""Distance in pixels to which points of the outline may be left out."""


def canvas_of(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height that outlines in an image of `size` (width, height) are given at."""
    return fitted(size, _CANVAS_SIDE, enlarge=True)


def svg_path(mask: Bool[np.ndarray, "height width"]) -> str:
    """The outline of a mask, holes included, to be filled by the even-odd rule.

    Coordinates are pixel indices; it is empty if the mask has no two-dimensional part.
    """
    rings = map(_simplified, _traced(mask))
    return "".join(_ring(ring) for ring in rings if len(ring) > 2)


def region_map(result: ImageResult) -> bytes:
    """The regions of an image in colours, as a small PNG to be laid over it."""
    return regions_png(result.regions, fitted((result.width, result.height), _REGIONS_SIDE))


def regions_png(regions: Regions, size: tuple[int, int]) -> bytes:
    """The region map in colours at `size` (width, height), as a PNG."""
    labels = smooth_labels(regions.label_map, size) % len(REGIONS)
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    image.putpalette([level for colour in REGIONS for level in rgb(colour)])
    return encoded(image, "PNG", optimize=True)


def _traced(mask: Bool[np.ndarray, "height width"]) -> Iterator[Ring]:
    """The outlines of all pieces and holes, pixel by pixel."""
    from contourpy import FillType, contour_generator

    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return
    top, left = rows[0], columns[0]
    corner = np.array([left - 1, top - 1])
    # A frame of background closes what is at the border.
    part = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1], 1).astype(np.float32)
    pieces = contour_generator(z=part, fill_type=FillType.OuterOffset).filled(_INSIDE, 2.0)
    for points, bounds in zip(*pieces, strict=True):
        pixels = np.rint(points).astype(np.int64) + corner
        yield from np.split(pixels, bounds[1:-1].astype(np.int64))


def _simplified(ring: Ring) -> Ring:
    """The ring without the points that hardly matter."""
    from matplotlib.path import Path

    path = Path(ring)
    path.should_simplify, path.simplify_threshold = True, _TOLERANCE
    fewer = path.cleaned(simplify=True)
    points = np.asarray(fewer.vertices)[np.asarray(fewer.codes) != Path.STOP]
    pixels = np.rint(points).astype(np.int64)
    moved: Ring = pixels[(pixels != np.roll(pixels, 1, axis=0)).any(axis=1)]
    return moved


def _ring(points: Ring) -> str:
    steps = " ".join(f"{right} {down}" for right, down in np.diff(points, axis=0).tolist())
    return f"M{points[0, 0]} {points[0, 1]}l{steps}z"

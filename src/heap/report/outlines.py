"""Masks and region maps in forms that a browser draws: SVG paths and small PNGs."""

from importlib import import_module

import numpy as np
from jaxtyping import Bool
from PIL import Image

from heap.masks.outlines import Ring, crop_to_box, trace
from heap.masks.palette import REGIONS, rgb
from heap.masks.scaling import THUMBNAIL_SIDE, encode_image, fit_size, smooth_labels
from heap.results import ImageResult, Regions

Line = list[tuple[int, int]]
"""Points (column, row) of a line."""

_CANVAS_SIDE = THUMBNAIL_SIDE * 2
"""Side of the canvas of outlines: they are finer than thumbnails, which are shown enlarged."""
_REGIONS_SIDE = THUMBNAIL_SIDE // 2
_TOLERANCE = 1.0
"""Distance in pixels up to which points of an outline may be left out."""


def load_drawing() -> None:
    """Import what draws, before several threads do: they might see a module half initialised."""
    for name in ("supervision", "contourpy", "matplotlib.path"):
        import_module(name)


def canvas_of(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height that outlines in an image of `size` (width, height) are given at."""
    return fit_size(size, _CANVAS_SIDE, enlarge=True)


def svg_path(mask: Bool[np.ndarray, "height width"]) -> str:
    """Trace the outline of a mask, holes included, to be filled by the even-odd rule.

    Coordinates are pixel indices; it is empty if the mask has no two-dimensional part.
    """
    return "".join(map(_ring_path, _simple_rings(mask)))


def closed_lines(mask: Bool[np.ndarray, "height width"]) -> list[Line]:
    """Trace the outline of a mask, holes included, as lines that end where they began.

    Points are pixel indices (column, row).
    """
    rings = (ring.tolist() for ring in _simple_rings(mask))
    return [[(x, y) for x, y in (*ring, ring[0])] for ring in rings]


def region_map(result: ImageResult) -> bytes:
    """Draw the regions of an image in colours, as a small PNG to be laid over it."""
    return regions_png(result.regions, fit_size((result.width, result.height), _REGIONS_SIDE))


def regions_png(regions: Regions, size: tuple[int, int]) -> bytes:
    """Draw a region map in colours at `size` (width, height), as a PNG."""
    labels = smooth_labels(regions.label_map, size) % len(REGIONS)
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    image.putpalette([level for colour in REGIONS for level in rgb(colour)])
    return encode_image(image, "PNG")


def _simple_rings(mask: Bool[np.ndarray, "height width"]) -> list[Ring]:
    part, corner = crop_to_box(mask)
    rings = [_simplify(ring + corner) for piece in trace(part) for ring in piece]
    return [ring for ring in rings if len(ring) > 2]


def _simplify(ring: Ring) -> Ring:
    """Return a ring without the points that hardly change it."""
    from matplotlib.path import Path

    path = Path(ring)
    path.should_simplify, path.simplify_threshold = True, _TOLERANCE
    fewer = path.cleaned(simplify=True)
    points = np.asarray(fewer.vertices)[np.asarray(fewer.codes) != Path.STOP]
    pixels = np.rint(points).astype(np.int64)
    moved: Ring = pixels[(pixels != np.roll(pixels, 1, axis=0)).any(axis=1)]
    return moved


def _ring_path(points: Ring) -> str:
    steps = " ".join(f"{right} {down}" for right, down in np.diff(points, axis=0).tolist())
    return f"M{points[0, 0]} {points[0, 1]}l{steps}z"

"""Masks and region maps in forms that a browser draws: SVG paths and small PNGs."""

from base64 import b64encode

import numpy as np
from jaxtyping import Bool
from PIL import Image

from heap.report.palette import REGIONS, rgb
from heap.report.scaling import encoded, smooth_labels
from heap.results import Regions

_DROPPED = 0.75
"""Share of the contour points that go; what is left is within a pixel or so of the contour."""
_WORTH_DROPPING = 12


def svg_path(mask: Bool[np.ndarray, "height width"]) -> str:
    """The outline of a mask, holes included, to be filled by the even-odd rule.

    Coordinates are pixel indices; it is empty if the mask has no two-dimensional part.
    """
    from supervision import approximate_polygon, mask_to_polygons

    rings = mask_to_polygons(mask)
    return "".join(
        _ring(approximate_polygon(ring, _DROPPED) if len(ring) > _WORTH_DROPPING else ring)
        for ring in rings
    )


def regions_png(regions: Regions, size: tuple[int, int]) -> bytes:
    """The region map in colours at `size` (width, height), as a PNG."""
    labels = smooth_labels(regions.label_map, size) % len(REGIONS)
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    image.putpalette([level for colour in REGIONS for level in rgb(colour)])
    return encoded(image, "PNG", optimize=True)


def data_uri(kind: str, content: bytes) -> str:
    """A file such as `image/png` inside the page that shows it."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _ring(points: np.ndarray) -> str:
    steps = " ".join(f"{right} {down}" for right, down in np.diff(points, axis=0).tolist())
    return f"M{points[0, 0]} {points[0, 1]}l{steps}z"

"""The objects of an image as pictures to be laid over it."""

from collections.abc import Mapping

from heap.masks.palette import OBJECTS
from heap.masks.scaling import scaled_mask
from heap.report.outlines import svg_path
from heap.results import Objects

Box = tuple[float, float, float, float]


def outlines(objects: Objects, canvas: tuple[int, int]) -> list[str]:
    """The SVG path of each object on a canvas of (width, height), see `svg_path`."""
    return [svg_path(scaled_mask(mask.decode(), canvas)) for mask in objects.masks]


def masks_svg(paths: Mapping[int, str], canvas: tuple[int, int]) -> str:
    """The outlines of objects, by their place in the image, filled; transparent between them."""
    drawn = "".join(
        f'<path d="{path}" fill="{_colour(place)}" stroke="{_colour(place)}"/>'
        for place, path in paths.items()
    )
    look = 'transform="translate(.5 .5)" fill-rule="evenodd" fill-opacity=".42" stroke-width="3"'
    return _svg(canvas, f'<g {look} stroke-linejoin="round">{drawn}</g>')


def boxes_svg(boxes: Mapping[int, Box], size: tuple[int, int]) -> str:
    """The boxes of objects, by their place in an image of `size` (width, height)."""
    width = max(size) / 320
    drawn = "".join(
        f'<rect x="{x1:g}" y="{y1:g}" width="{x2 - x1:g}" height="{y2 - y1:g}" '
        f'stroke="{_colour(place)}"/>'
        for place, (x1, y1, x2, y2) in boxes.items()
    )
    return _svg(size, f'<g fill="none" stroke-width="{width:g}">{drawn}</g>')


def _svg(size: tuple[int, int], drawn: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
        f'preserveAspectRatio="none">{drawn}</svg>'
    )


def _colour(place: int) -> str:
    return OBJECTS[place % len(OBJECTS)]

"""Results drawn on their images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8
from PIL import Image, ImageDraw

from heap.base.files import file_stem, inside, replacing
from heap.masks.palette import OBJECTS, REGIONS, rgb
from heap.masks.scaling import encode_image, fit_size, scale_mask, smooth_labels
from heap.report.outlines import Line, closed_lines
from heap.results import ImageResult

MAX_SIDE = 1024
_SUPERSAMPLING = 2
"""Factor by which pictures are drawn larger and then reduced, so that lines have no steps."""
_OPACITY = 0.45
_DIMMING = 0.65
_QUALITY = 88


def draw_overlay(
    pixels: UInt8[np.ndarray, "height width 3"], result: ImageResult, max_side: int = MAX_SIDE
) -> Image.Image:
    """Draw an image with its objects: masks in colours, outlines, corners of boxes, scores.

    `pixels` is the upright image at any size; the drawing has no side over `max_side` pixels.
    """
    photo = Image.fromarray(pixels)
    size = fit_size(photo.size, max_side)
    scene = photo.resize(size, Image.Resampling.LANCZOS)
    if not len(result.objects):
        return scene
    large = (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING)
    masks = [scale_mask(mask.decode(), large) for mask in result.objects.masks]
    # Enlarged by whole pixels, the photo comes out of the reduction as it went in.
    coloured = _colour(scene.resize(large, Image.Resampling.NEAREST), masks)
    return _label(coloured.reduce(_SUPERSAMPLING), result)


def draw_foreground(
    pixels: UInt8[np.ndarray, "height width 3"], masks: Bool[np.ndarray, "object height width"]
) -> Image.Image:
    """Draw an image with its objects in colours and everything else dimmed."""
    photo = Image.fromarray(pixels)
    dimmed = Image.blend(photo, Image.new("RGB", photo.size), _DIMMING)
    dimmed.paste(photo, mask=Image.fromarray(masks.any(axis=0)))
    return _colour(dimmed, list(masks))


def draw_regions(
    pixels: UInt8[np.ndarray, "height width 3"],
    label_map: Int64[np.ndarray, "grid_h grid_w"],
    max_side: int = MAX_SIDE,
) -> Image.Image:
    """Draw an image in the colours of its regions, with fine light lines between them."""
    photo = Image.fromarray(pixels)
    size = fit_size(photo.size, max_side)
    labels = smooth_labels(label_map, size)
    colours = np.array([rgb(colour) for colour in REGIONS], dtype=np.uint8)
    tint = colours[labels % len(REGIONS)]
    between = np.zeros(labels.shape, dtype=bool)
    between[1:] |= labels[1:] != labels[:-1]
    between[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    tint[between] = 255
    small = photo.resize(size, Image.Resampling.LANCZOS)
    return Image.blend(small, Image.fromarray(tint), _OPACITY)


def save_overlay(
    image: Image.Image, folder: Path | str, key: str, kind: Literal["JPEG", "WEBP"] = "JPEG"
) -> Path | str:
    """Write a drawing of the image `key` to a file in `folder`; return its path or URL.

    Raises:
        InputError: if it cannot be written.
    """
    path = inside(folder, f"{file_stem(key)}.{'jpg' if kind == 'JPEG' else 'webp'}")
    with replacing(path) as file:
        file.write(encode_image(image, kind, quality=_QUALITY))
    return path


def _colour(scene: Image.Image, masks: Sequence[Bool[np.ndarray, "height width"]]) -> Image.Image:
    """Draw masks in colours, with outlines in their colour on white, visible on any photo."""
    tint = scene.copy()
    # Small ones last, so that large ones do not hide them.
    for number in sorted(range(len(masks)), key=lambda number: -np.count_nonzero(masks[number])):
        tint.paste(OBJECTS[number % len(OBJECTS)], mask=Image.fromarray(masks[number]))
    scene = Image.blend(scene, tint, _OPACITY)
    pen = ImageDraw.Draw(scene)
    outlines = [closed_lines(mask) for mask in masks]
    _outline(pen, outlines, ["white"], _pixels(scene, 4, 3))
    _outline(pen, outlines, OBJECTS, _pixels(scene, 2, 1))
    return scene


def _outline(
    pen: ImageDraw.ImageDraw, outlines: Sequence[list[Line]], colours: Sequence[str], width: int
) -> None:
    """Draw the lines around each mask, the colours in turn."""
    for number, lines in enumerate(outlines):
        for line in lines:
            pen.line(line, colours[number % len(colours)], width, joint="curve")


def _label(scene: Image.Image, result: ImageResult) -> Image.Image:
    """Draw the corners of the boxes of objects, and their scores."""
    import supervision as sv

    def pixels(at_1024: int, least: int) -> int:
        return _pixels(scene, at_1024, least)

    scale = np.array([scene.width / result.width, scene.height / result.height] * 2)
    boxes = result.objects.boxes * scale.astype(np.float32)
    pen = ImageDraw.Draw(scene)
    for number, box in enumerate(boxes):
        _draw_corners(pen, box, OBJECTS[number % len(OBJECTS)], pixels(24, 3), pixels(4, 1))
    text = sv.RichLabelAnnotator(
        sv.ColorPalette.from_hex(list(OBJECTS)),
        text_color=sv.Color.BLACK,
        font_size=pixels(22, 10),
        text_padding=pixels(7, 3),
        border_radius=pixels(6, 2),
    )
    scores = [f"{score:.2f}" for score in result.objects.scores]
    # Numbers of objects are those of colours.
    return text.annotate(scene, sv.Detections(boxes, class_id=np.arange(len(boxes))), scores)


def _draw_corners(
    pen: ImageDraw.ImageDraw,
    box: Float32[np.ndarray, " 4"],
    colour: str,
    length: int,
    width: int,
) -> None:
    x1, y1, x2, y2 = box.tolist()
    for x, inward in ((x1, length), (x2, -length)):
        for y, down in ((y1, length), (y2, -length)):
            pen.line([(x + inward, y), (x, y), (x, y + down)], colour, width, joint="curve")


def _pixels(scene: Image.Image, at_1024: int, least: int) -> int:
    """Width of a line that has `at_1024` pixels where the longest side has 1024."""
    return max(least, round(at_1024 * max(scene.size) / 1024))

"""Results drawn on their images."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Int64, UInt8
from PIL import Image, ImageDraw

from heap.base.files import file_stem, replacing
from heap.masks.palette import OBJECTS, REGIONS, rgb
from heap.masks.scaling import encode_image, fit_size, scale_mask, smooth_labels
from heap.results import ImageResult

if TYPE_CHECKING:
    from supervision import Detections

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
    if not len(result.objects):
        return photo.resize(size, Image.Resampling.LANCZOS)
    large = (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING)
    scene = photo.resize(large, Image.Resampling.LANCZOS)
    scores = [f"{score:.2f}" for score in result.objects.scores]
    return _draw(scene, _detections(result, large), scores).resize(size, Image.Resampling.BOX)


def draw_foreground(
    pixels: UInt8[np.ndarray, "height width 3"], masks: Bool[np.ndarray, "object height width"]
) -> Image.Image:
    """Draw an image with its objects in colours and everything else dimmed."""
    import supervision as sv

    boxes = sv.mask_to_xyxy(masks).astype(np.float32)
    detections = sv.Detections(boxes, masks, class_id=np.arange(len(masks)))
    dimming = sv.BackgroundOverlayAnnotator(sv.Color.BLACK, _DIMMING)
    return _colour(dimming.annotate(Image.fromarray(pixels), detections), detections)


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
    image: Image.Image, folder: Path, key: str, kind: Literal["JPEG", "WEBP"] = "JPEG"
) -> Path:
    """Write a drawing of the image `key` to a file in `folder` and return its path.

    Raises:
        InputError: if it cannot be written.
    """
    path = folder / f"{file_stem(key)}.{'jpg' if kind == 'JPEG' else 'webp'}"
    with replacing(path) as file:
        file.write(encode_image(image, kind, quality=_QUALITY))
    return path


def _detections(result: ImageResult, size: tuple[int, int]) -> "Detections":
    from supervision import Detections

    scale = np.array([size[0] / result.width, size[1] / result.height] * 2, dtype=np.float32)
    return Detections(
        xyxy=result.objects.boxes * scale,
        mask=np.stack([scale_mask(mask.decode(), size) for mask in result.objects.masks]),
        class_id=np.arange(len(result.objects)),  # the colour
    )


def _draw(scene: Image.Image, detections: "Detections", labels: list[str]) -> Image.Image:
    import supervision as sv

    def pixels(at_1024: int, least: int) -> int:
        return _pixels(scene, at_1024, least)

    palette = sv.ColorPalette.from_hex(list(OBJECTS))
    scene = _colour(scene, detections)
    corners = sv.BoxCornerAnnotator(palette, thickness=pixels(4, 2), corner_length=pixels(24, 6))
    scene = corners.annotate(scene, detections)
    text = sv.RichLabelAnnotator(
        palette,
        text_color=sv.Color.BLACK,
        font_size=pixels(22, 20),
        text_padding=pixels(7, 6),
        border_radius=pixels(6, 4),
    )
    return text.annotate(scene, detections, labels=labels)


def _colour(scene: Image.Image, detections: "Detections") -> Image.Image:
    """Draw masks in colours, with outlines in their colour on white, visible on any photo."""
    import supervision as sv

    palette = sv.ColorPalette.from_hex(list(OBJECTS))
    scene = sv.MaskAnnotator(palette, opacity=_OPACITY).annotate(scene, detections)
    _outline(scene, detections, ["white"], _pixels(scene, 4, 3))
    _outline(scene, detections, OBJECTS, _pixels(scene, 2, 1))
    return scene


def _pixels(scene: Image.Image, at_1024: int, least: int) -> int:
    """Width of a line that has `at_1024` pixels where the longest side has 1024."""
    return max(least, round(at_1024 * max(scene.size) / 1024))


def _outline(
    scene: Image.Image, detections: "Detections", colours: Sequence[str], width: int
) -> None:
    """Draw the outlines of the masks, the colours in turn.

    Pillow draws them: without OpenCV, supervision draws a line point by point, which took most
    of the time of a run.
    """
    from supervision import mask_to_polygons

    pen = ImageDraw.Draw(scene)
    for number, mask in enumerate(detections.mask if detections.mask is not None else ()):
        fill = colours[number % len(colours)]
        for ring in mask_to_polygons(mask):
            closed = [*map(tuple, ring.tolist()), tuple(ring[0].tolist())]
            pen.line(closed, fill=fill, width=width, joint="curve")

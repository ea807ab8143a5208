"""Results and pictures of the images of one chunk, as records for the store."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from heap.base.files import file_stem, inside, replacing
from heap.base.timing import timed
from heap.config import DiscoverConfig
from heap.images import ImageError, Picture
from heap.images.colour import to_srgb
from heap.images.failures import Failure, attempt
from heap.masks.scaling import encode_image, thumbnail
from heap.model.heap import Heap
from heap.report.outlines import load_drawing
from heap.report.overlays import draw_overlay, draw_regions, save_overlay
from heap.results import ImageResult
from heap.store.records import Finished


def examine_chunk(
    heap: Heap,
    read: Sequence[Picture | ImageError],
    out: Path | str,
    config: DiscoverConfig,
    pool: ThreadPoolExecutor,
) -> list[Finished | Failure]:
    """Find the objects of the pictures of a chunk, draw them, and make their records.

    Images that could not be read come first; a drawing that fails costs only its own image.
    """
    load_drawing()
    pictures = [picture for picture in read if isinstance(picture, Picture)]

    def draw(picture: Picture, result: ImageResult | ImageError) -> Finished | ImageError:
        if isinstance(result, ImageError):
            return result
        return attempt(picture.key, "draw", lambda: _finish(picture, result, out, config))

    drawn = pool.map(draw, pictures, heap.examine(pictures, config))
    bad = [error for error in read if isinstance(error, ImageError)]
    return [
        Failure(record.key, record.stage, record.reason)
        if isinstance(record, ImageError)
        else record
        for record in (*bad, *drawn)
    ]


def _finish(
    picture: Picture, result: ImageResult, out: Path | str, config: DiscoverConfig
) -> Finished:
    """Write the pictures of one image that `config` asks for, and make its record."""
    shown = to_srgb(picture.pixels, picture.profile)
    with timed("pictures"):
        _save_pictures(shown, result, out, config)
    with timed("thumbnails"):
        small, note = thumbnail(shown), picture.note or ""
    return Finished(result, small, picture.digest, note)


def _save_pictures(
    shown: UInt8[np.ndarray, "height width 3"],
    result: ImageResult,
    out: Path | str,
    config: DiscoverConfig,
) -> None:
    if "overlays" in config.save:
        save_overlay(draw_overlay(shown, result), inside(out, "overlays"), result.key)
    if "regions" in config.save:
        regions = draw_regions(shown, result.regions.label_map)
        save_overlay(regions, inside(out, "regions"), result.key)
    if "masks" in config.save:
        save_masks(result, inside(out, "masks"))


def save_masks(result: ImageResult, folder: Path | str) -> None:
    """Write an 8-bit label map: 0 background, 1 the best object, and so on to 255.

    A pixel of several objects, which proposals can be, belongs to the best of them.
    """
    labels = np.zeros((result.height, result.width), dtype=np.uint8)
    for number, mask in enumerate(result.objects.masks[:255], start=1):
        labels[mask.decode() & (labels == 0)] = number
    with replacing(inside(folder, f"{file_stem(result.key)}.png")) as file:
        file.write(encode_image(Image.fromarray(labels), "PNG", optimize=True))

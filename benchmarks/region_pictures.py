"""The hierarchy of regions on demo photos, a picture for the documentation.

A row for each photo: the photo, the hierarchy of its patches cut at ever fewer regions, objects.
"""

from pathlib import Path

import cyclopts
from PIL import Image

from benchmarks.pictures import stack
from heap.features.describe import describe
from heap.images import decode, list_images
from heap.model.heap import Heap
from heap.model.regions import merge_patches
from heap.report.overlays import draw_overlay, draw_regions

WIDTH = 250
CUTS = (24, 12, 6, 3)
"""Numbers of regions, one picture each."""


def region_pictures(out: Path, photos: list[Path], *, model: str = "embedded") -> None:
    """Draw the hierarchies.

    Args:
        out: The JPEG to write.
        photos: Image files.
        model: Alias of the package or a folder.
    """
    heap = Heap.from_pretrained(model)
    rows = [_row(heap, photo) for photo in photos]
    stack(rows).save(out, quality=82)


def _row(heap: Heap, photo: Path) -> list[Image.Image]:
    picture = decode(next(iter(list_images(photo))))
    features = describe(heap.encoder, [picture], heap.config.features)[0]
    saliency = heap.group(features).saliency[0]
    patches = heap.head.subtract_centre(features.patches)
    result = heap([picture])[0]
    drawings = [Image.fromarray(picture.pixels)]
    for count in CUTS:
        labels = merge_patches(patches, saliency, count).reshape(features.grid)
        drawings.append(draw_regions(picture.pixels, labels, 2 * WIDTH))
    drawings.append(draw_overlay(picture.pixels, result, 2 * WIDTH))
    height = round(picture.pixels.shape[0] * WIDTH / picture.pixels.shape[1])
    return [drawing.resize((WIDTH, height), Image.Resampling.LANCZOS) for drawing in drawings]


if __name__ == "__main__":
    cyclopts.run(region_pictures)

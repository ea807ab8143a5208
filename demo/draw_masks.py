"""Draw the ground-truth masks of the demo photos from their hand-drawn outlines.

``polygons.json`` holds, for each photo, one list of rings per object; a ring is a
list of ``[x, y]`` vertices in pixels of the committed photo.  Inside one object the
rings are combined by the even-odd rule, so that a ring inside another one cuts a
hole and a ring apart from the others adds a second piece.  Objects are painted in
the order of the list, so that a later one covers an earlier one.

Run ``python demo/draw_masks.py`` after changing an outline, and add ``--overlays
FOLDER`` to see each mask drawn on its photo.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw

HERE = Path(__file__).resolve().parent
"""The folder that holds ``photos/``, ``masks/`` and ``polygons.json``."""

COLOURS = ((0, 200, 255), (255, 0, 200), (255, 220, 0), (0, 220, 0), (255, 120, 0))
"""Overlay colours, used in turn for objects 1, 2, ..."""

Ring = Sequence[Sequence[float]]


def draw_object(size: tuple[int, int], rings: Sequence[Ring]) -> Image.Image:
    """Return a 1-bit image of ``size`` (width, height) that is set inside ``rings``."""
    result = Image.new("1", size)
    for ring in rings:
        layer = Image.new("1", size)
        ImageDraw.Draw(layer).polygon([(x, y) for x, y in ring], fill=1)
        result = ImageChops.logical_xor(result, layer)
    return result


def draw_mask(size: tuple[int, int], objects: Sequence[Sequence[Ring]]) -> Image.Image:
    """Return the label map of a photo: 0 for background, 1, 2, ... per object."""
    mask = Image.new("L", size)
    for value, rings in enumerate(objects, start=1):
        mask.paste(value, mask=draw_object(size, rings))
    return mask


def draw_overlay(photo: Image.Image, mask: Image.Image) -> Image.Image:
    """Return ``photo`` with each object of ``mask`` tinted in its own colour."""
    result = photo.convert("RGB")
    for value in range(1, max(mask.tobytes()) + 1):
        inside = mask.point([110 if level == value else 0 for level in range(256)])
        result.paste(COLOURS[(value - 1) % len(COLOURS)], mask=inside)
    return result


def main() -> None:
    """Write ``masks/*.png`` and, if asked for, the overlays."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--overlays", type=Path, help="also write overlay pictures here")
    overlays: Path | None = parser.parse_args().overlays

    (HERE / "masks").mkdir(exist_ok=True)
    if overlays is not None:
        overlays.mkdir(parents=True, exist_ok=True)
    polygons = json.loads((HERE / "polygons.json").read_text(encoding="utf-8"))
    for name, objects in polygons.items():
        with Image.open(HERE / "photos" / name) as photo:
            mask = draw_mask(photo.size, objects)
            mask.save(HERE / "masks" / Path(name).with_suffix(".png"), optimize=True)
            if overlays is not None:
                draw_overlay(photo, mask).save(overlays / Path(name).with_suffix(".png"))


if __name__ == "__main__":
    main()

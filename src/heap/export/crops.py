"""Each object cut out of its image."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from heap.export.originals import Original
from heap.report.files import file_stem

_SAFE = re.compile(r"[a-z0-9_-]+")


def write_crops(original: Original, folder: Path) -> int:
    """Write what is in the box of each object to `LABEL/NAME-INDEX.png`, transparent around it.

    Returns the number of crops.

    Raises:
        ImageError: if the image cannot be decoded, or is no longer of the size that it had.
        OSError: if a crop cannot be written.
    """
    item, pixels = original.item, original.picture.pixels
    profile = original.picture.profile or None
    for each in item.objects:
        left, top, right, bottom = each.bounds
        inside = (slice(top, bottom), slice(left, right))
        alpha = each.pixels[inside].astype(np.uint8) * 255
        place = folder / _folder_name(each.label)
        place.mkdir(parents=True, exist_ok=True)
        crop = Image.fromarray(np.dstack([pixels[inside], alpha]))
        crop.save(place / f"{item.stem}-{each.index}.png", icc_profile=profile)
    return len(item.objects)


def _folder_name(label: str) -> str:
    """The label itself, or what is valid on any file system and differs where labels differ."""
    return label if _SAFE.fullmatch(label) else file_stem(label)

"""Each object cut out of its image."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from heap.export.originals import Original
from heap.export.writer import file_in


def write_crops(original: Original, folder: Path, classes: Mapping[str, str]) -> int:
    """Write what is in the box of each object to `CLASS/NAME-INDEX.png`, transparent around it.

    `classes` has the names of the folders by class. Returns the number of crops.

    Raises:
        ImageError: if the image cannot be decoded, or is no longer of the size that it had.
        OSError: if a crop cannot be written.
    """
    item, pixels = original.item, original.pixels
    for each in item.objects:
        left, top, right, bottom = each.bounds
        inside = (slice(top, bottom), slice(left, right))
        alpha = each.pixels[inside].astype(np.uint8) * 255
        crop = Image.fromarray(np.dstack([pixels[inside], alpha]))
        crop.save(file_in(folder, f"{classes[each.label]}/{item.name}-{each.index}.png"))
    return len(item.objects)

"""Reads an export with Datumaro, and prints its objects as JSON: `FOLDER FORMAT`.

Run by the interpreter of an environment of its own, without this package.
"""

import json
import sys
import warnings
from typing import Any

import datumaro
import numpy as np
from pycocotools import mask as coco_mask


def main(folder: str, format: str) -> None:
    warnings.simplefilter("ignore")
    dataset = datumaro.Dataset.import_from(folder, format)
    names = [label.name for label in dataset.categories()[datumaro.AnnotationType.label]]
    items = [
        {
            "id": item.id,
            "split": item.subset,
            "size": list(item.media.size),
            "boxes": sorted(
                ([*box.get_bbox()], names[box.label])
                for box in item.annotations
                if box.type == datumaro.AnnotationType.bbox
            ),
            "masks": masks_of(item, names),
        }
        for item in dataset
    ]
    about = {"version": datumaro.__version__, "classes": names, "items": items}
    print(json.dumps(about))


def masks_of(item: Any, names: list[str]) -> list[Any]:
    """Masks and their names; the polygons of one object are one mask."""
    size, pieces = item.media.size, dict[int, Any]()
    for shape in item.annotations:
        if shape.type == datumaro.AnnotationType.polygon:
            rings = coco_mask.frPyObjects([shape.points], *size)
            pixels = coco_mask.decode(coco_mask.merge(rings)).astype(bool)
        elif shape.type == datumaro.AnnotationType.mask:
            pixels = shape.image.astype(bool)
        else:
            continue
        before = pieces.get(shape.group, (False, None))[0]
        pieces[shape.group] = before | pixels, names[shape.label]
    return [
        (coco_mask.encode(np.asfortranarray(pixels, dtype=np.uint8))["counts"].decode(), name)
        for pixels, name in pieces.values()
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])

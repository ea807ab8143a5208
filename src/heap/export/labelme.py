"""LabelMe: a JSON file for every image, with polygons that a person can correct."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heap.export.items import Item, Labelled
from heap.export.writer import Add, file_in
from heap.images.source import is_url
from heap.masks.outlines import CENTRE, pieces

_VERSION = "5.5.0"
"""Version of LabelMe that writes files like these; LabelMe opens those of any version from 5."""


@contextmanager
def labelme_writer(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writer of `NAME.json`, in the folder of the split, beside the image; see `Writer`.

    Pieces of one object share a `group_id`, which is LabelMe's way. Holes are joined to the outline
    as `heap.masks.outlines` says: shapes of type `mask` would keep them too, but LabelMe reads
    them only from 5.4 on, and nobody can move their edges. `description` says the id, the score,
    and whether a person has corrected it.
    """
    for split in splits:
        (folder / split).mkdir(parents=True, exist_ok=True)

    def add(item: Item, split: str, image: str) -> None:
        content: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": [
                shape
                for number, labelled in enumerate(item.objects, start=1)
                for shape in _shapes(labelled, number)
            ],
            "imagePath": image.rpartition("/")[2] or _original(item),
            "imageData": None,
            "imageHeight": item.height,
            "imageWidth": item.width,
        }
        path = file_in(folder / split, f"{item.name}.json")
        text = json.dumps(content, ensure_ascii=False, indent=1)
        path.write_text(text + "\n", encoding="utf-8", newline="\n")

    yield add


def _shapes(labelled: Labelled, number: int) -> list[dict[str, Any]]:
    rings = pieces(labelled.pixels)
    return [
        {
            "label": labelled.label,
            "points": (ring + CENTRE).round(2).tolist(),
            "group_id": number if len(rings) > 1 else None,
            "description": f"{labelled.id}, score {labelled.score:.3f}"
            + (", corrected by a person" if labelled.drawn else ""),
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        for ring in rings
    ]


def _original(item: Item) -> str:
    """Path of the photo, which LabelMe opens from anywhere on this machine."""
    here = item.source and not is_url(item.source)
    return item.source if here else item.photo.rpartition("/")[2]

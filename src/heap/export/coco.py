"""COCO: one file for each split, masks as run lengths, with scores."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from heap.export.items import Item, Labelled
from heap.export.writer import Add


@contextmanager
def coco(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writes `annotations.json`, or `SPLIT.json` for each split; see `Writer`.

    Masks with holes or of several pieces are no crowds. Scores are extra, so that the list of
    annotations alone serves as detections. An image without a file here is called by its key.
    """
    files = {split: _File(folder / f"{split or 'annotations'}.json") for split in splits}
    numbers = {name: number for number, name in enumerate(classes, start=1)}

    def add(item: Item, split: str, image: str) -> None:
        files[split].add(item, image or item.key, numbers)

    yield add
    for file in files.values():
        file.finish(numbers)


class _File:
    """One COCO file; its two long lists wait in files of their own until they are complete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._images, self._annotations = (
            path.with_name(f"{path.name}.{part}") for part in ("images", "annotations")
        )
        self._next_image = self._next_annotation = 1
        self._images.touch()
        self._annotations.touch()

    def add(self, item: Item, file_name: str, numbers: dict[str, int]) -> None:
        size = {"width": item.width, "height": item.height}
        image = {"id": self._next_image, "file_name": file_name, **size}
        _append(self._images, [image], first=self._next_image == 1)
        found = [
            _annotation(each, self._next_image, self._next_annotation + place, numbers)
            for place, each in enumerate(item.objects)
        ]
        _append(self._annotations, found, first=self._next_annotation == 1)
        self._next_image += 1
        self._next_annotation += len(found)

    def finish(self, numbers: dict[str, int]) -> None:
        info = {"description": "Objects found by HEAP", "version": version("heap")}
        categories = [
            {"id": number, "name": name, "supercategory": ""} for name, number in numbers.items()
        ]
        start = {"info": info, "licenses": [], "categories": categories}
        with self._path.open("wb") as file:
            file.write(json.dumps(start).encode()[:-1])
            for name, part in (("images", self._images), ("annotations", self._annotations)):
                file.write(f',\n"{name}": ['.encode())
                with part.open("rb") as lines:
                    shutil.copyfileobj(lines, file)
                file.write(b"]")
                part.unlink()
            file.write(b"}\n")


def _annotation(each: Labelled, image: int, number: int, numbers: dict[str, int]) -> dict[str, Any]:
    x1, y1, x2, y2 = each.box
    return {
        "id": number,
        "image_id": image,
        "category_id": numbers[each.label],
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": int(each.pixels.sum()),
        "segmentation": {"size": [each.mask.height, each.mask.width], "counts": each.mask.counts},
        "iscrowd": 0,
        "score": each.score,
    }


def _append(path: Path, values: list[dict[str, Any]], *, first: bool) -> None:
    # Plain ASCII survives any reader's idea of an encoding.
    text = ",\n".join(json.dumps(value, allow_nan=False) for value in values)
    if text:
        with path.open("a", encoding="ascii", newline="\n") as file:
            file.write(("\n" if first else ",\n") + text)

"""COCO: one file for each split, with scores, and masks as exact run lengths or as polygons.

The file of a run itself, `objects.json`, is written here too.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from heap.base.files import replacing
from heap.export.items import Item, Labelled
from heap.export.writer import Add
from heap.images.source import name_of
from heap.masks.outlines import edges
from heap.results import coco_annotation
from heap.store.records import Finished

Annotation = Callable[[Labelled, int], dict[str, Any]]
"""An object as COCO has it, of the class of this number."""


class CocoFile:
    """Takes the images of a COCO file, one by one; ids count from 1 in that order."""

    def __init__(self, images: BinaryIO, annotations: BinaryIO) -> None:
        self._images, self._annotations = images, annotations
        self._image = self._annotation = 0

    def add(
        self,
        file_name: str,
        width: int,
        height: int,
        annotations: Iterable[dict[str, Any]],
        note: str = "",
    ) -> None:
        """Write an image with the annotations that `coco_annotation` has made.

        A note is extra, where there is one.
        """
        self._image += 1
        image = {"id": self._image, "file_name": file_name, "width": width, "height": height}
        image |= {"note": note} if note else {}
        _append(self._images, image, first=self._image == 1)
        for each in annotations:
            self._annotation += 1
            numbered = {"id": self._annotation, "image_id": self._image, **each}
            _append(self._annotations, numbered, first=self._annotation == 1)


@contextmanager
def coco_file(path: Path, classes: Sequence[str]) -> Iterator[CocoFile]:
    """A COCO file that is there, complete, when the block ends; classes are numbered from 1.

    Annotations wait in a file of their own, so any number of images fits in memory.

    Raises:
        InputError: if the file cannot be written.
    """
    info = {"description": "Objects found by HEAP, without labels", "version": version("heap")}
    categories = [
        {"id": number, "name": name, "supercategory": ""} for number, name in enumerate(classes, 1)
    ]
    with replacing(path) as file, tempfile.TemporaryFile(dir=path.parent) as annotations:
        file.write(b'{"info": ' + _json(info))
        file.write(b',\n"licenses": [],\n"categories": ' + _json(categories) + b',\n"images": [')
        yield CocoFile(file, annotations)
        file.write(b'\n],\n"annotations": [')
        annotations.seek(0)
        shutil.copyfileobj(annotations, file)
        file.write(b"\n]}\n")


def write_coco(records: Iterable[Finished], path: Path) -> None:
    """Write `records`, in the order given, as one COCO file with one class, `object`.

    Images are called as they are on the disk. The same records give the same bytes.

    Raises:
        InputError: if the file cannot be written.
    """
    with coco_file(path, ["object"]) as file:
        for record in records:
            result, found = record.result, record.result.objects
            each = zip(found.boxes.tolist(), found.scores.tolist(), found.masks, strict=True)
            annotations = (coco_annotation(1, *one) for one in each)
            name = name_of(result.key)
            file.add(name, result.width, result.height, annotations, record.note)


def coco(
    folder: Path, classes: Sequence[str], splits: Sequence[str]
) -> AbstractContextManager[Add]:
    """Writes `annotations.json`, or `SPLIT.json` for each split, with run lengths; see `Writer`.

    An image without a file here is called as it is on the disk.
    """
    return _coco(folder, classes, splits, _run_lengths)


def coco_polygons(
    folder: Path, classes: Sequence[str], splits: Sequence[str]
) -> AbstractContextManager[Add]:
    """The same with polygons, one for each piece of an object; holes are joined to them."""
    return _coco(folder, classes, splits, _polygons)


@contextmanager
def _coco(
    folder: Path, classes: Sequence[str], splits: Sequence[str], annotation: Annotation
) -> Iterator[Add]:
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    with ExitStack() as stack:
        files = {
            split: stack.enter_context(
                coco_file(folder / f"{split or 'annotations'}.json", classes)
            )
            for split in splits
        }

        def add(item: Item, split: str, image: str) -> None:
            annotations = (annotation(each, numbers[each.label]) for each in item.objects)
            name = image or name_of(item.key)
            files[split].add(name, item.width, item.height, annotations)

        yield add


def _run_lengths(each: Labelled, number: int) -> dict[str, Any]:
    return coco_annotation(number, each.box, each.score, each.mask)


def _polygons(each: Labelled, number: int) -> dict[str, Any]:
    rings = [ring.ravel().tolist() for ring in edges(each.pixels)]
    return _run_lengths(each, number) | {"segmentation": rings}


def _append(file: BinaryIO, value: dict[str, Any], *, first: bool) -> None:
    file.write((b"\n" if first else b",\n") + _json(value))


def _json(value: Any) -> bytes:
    # Plain ASCII survives any reader's idea of an encoding.
    return json.dumps(value, allow_nan=False).encode("ascii")

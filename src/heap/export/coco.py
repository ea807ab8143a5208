"""COCO: a file for every split, with scores, and masks as exact run lengths or as polygons.

The file of a run itself, `objects.json`, is written here too.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from heap.base.files import replacing
from heap.export.items import Item, Labelled
from heap.export.writer import Add
from heap.images.source import name_of
from heap.masks.outlines import edges
from heap.results import coco_annotation
from heap.store.records import Finished

Annotation = Callable[[Labelled, int], dict[str, Any]]
"""Function from an object and the number of its class to COCO's annotation."""

_BY_PERSON = {"source": "person"}
"""Extra member, beside the score, of an annotation whose mask a person has corrected."""


class CocoFile:
    """A COCO file that takes its images one by one; ids count from 1 in that order."""

    def __init__(self, images: IO[bytes], annotations: IO[bytes]) -> None:
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
        """Write an image with annotations by `coco_annotation`, and a note if there is one."""
        self._image += 1
        image = {"id": self._image, "file_name": file_name, "width": width, "height": height}
        image |= {"note": note} if note else {}
        _append(self._images, image, first=self._image == 1)
        for annotation in annotations:
            self._annotation += 1
            numbered = {"id": self._annotation, "image_id": self._image, **annotation}
            _append(self._annotations, numbered, first=self._annotation == 1)


@contextmanager
def coco_file(path: Path | str, classes: Sequence[str]) -> Iterator[CocoFile]:
    """Open a COCO file, which is there, complete, when the block ends; classes count from 1.

    Annotations, which COCO has after all images, wait in a temporary file, so that any number of
    images fits in memory.

    Raises:
        InputError: if the file cannot be written.
    """
    info = {"description": "Objects found by HEAP, without labels", "version": version("heap")}
    categories = [
        {"id": number, "name": name, "supercategory": ""} for number, name in enumerate(classes, 1)
    ]
    beside = path.parent if isinstance(path, Path) else None
    with replacing(path) as file, tempfile.TemporaryFile(dir=beside) as annotations:
        file.write(b'{"info": ' + _json(info))
        file.write(b',\n"licenses": [],\n"categories": ' + _json(categories) + b',\n"images": [')
        yield CocoFile(file, annotations)
        file.write(b'\n],\n"annotations": [')
        annotations.seek(0)
        shutil.copyfileobj(annotations, file)
        file.write(b"\n]}\n")


def write_coco(records: Iterable[Finished], path: Path | str) -> None:
    """Write `records`, in the order given, as one COCO file with one class, `object`.

    Images are called as they are on the disk. The same records give the same bytes.

    Raises:
        InputError: if the file cannot be written.
    """
    with coco_file(path, ["object"]) as file:
        for record in records:
            result, objects = record.result, record.result.objects
            columns = objects.boxes.tolist(), objects.scores.tolist(), objects.masks
            annotations = (
                coco_annotation(1, *row) | (_BY_PERSON if place in record.drawn else {})
                for place, row in enumerate(zip(*columns, strict=True))
            )
            name = name_of(result.key)
            file.add(name, result.width, result.height, annotations, record.note)


def coco_writer(
    folder: Path, classes: Sequence[str], splits: Sequence[str]
) -> AbstractContextManager[Add]:
    """Writer of `annotations/instances_SPLIT.json`, with run lengths; see `Writer`.

    Without splits the only one is called `default`, as CVAT and Datumaro call it. `file_name` is
    below the folder of the images of the split; of an image without a file in the export it is the
    name of the photo.
    """
    return _coco(folder, classes, splits, _run_lengths)


def polygon_writer(
    folder: Path, classes: Sequence[str], splits: Sequence[str]
) -> AbstractContextManager[Add]:
    """The same with polygons, one for every piece of an object; holes are joined to them."""
    return _coco(folder, classes, splits, _polygons)


@contextmanager
def _coco(
    folder: Path, classes: Sequence[str], splits: Sequence[str], annotation: Annotation
) -> Iterator[Add]:
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    # Datumaro refuses an export without this folder, also if its images are elsewhere.
    (folder / "images").mkdir()
    with ExitStack() as stack:
        files = {
            split: stack.enter_context(
                coco_file(folder / "annotations" / f"instances_{split}.json", classes)
            )
            for split in splits
        }

        def add(item: Item, split: str, image: str) -> None:
            annotations = (
                annotation(labelled, numbers[labelled.label]) for labelled in item.objects
            )
            name = image or name_of(item.key)
            files[split].add(name, item.width, item.height, annotations)

        yield add


def _run_lengths(labelled: Labelled, number: int) -> dict[str, Any]:
    annotation = coco_annotation(number, labelled.box, labelled.score, labelled.mask)
    return annotation | (_BY_PERSON if labelled.drawn else {})


def _polygons(labelled: Labelled, number: int) -> dict[str, Any]:
    rings = [ring.ravel().tolist() for ring in edges(labelled.pixels)]
    return _run_lengths(labelled, number) | {"segmentation": rings}


def _append(file: IO[bytes], value: dict[str, Any], *, first: bool) -> None:
    file.write((b"\n" if first else b",\n") + _json(value))


def _json(value: Any) -> bytes:
    # Readers differ in the encoding that they expect; ASCII is the same in all of them.
    return json.dumps(value, allow_nan=False).encode("ascii")

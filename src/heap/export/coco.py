"""COCO: one file for each split, with scores, and masks as exact run lengths or as polygons."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from heap.export.items import Item, Labelled
from heap.export.writer import Add
from heap.images.source import name_of
from heap.masks.outlines import edges
from heap.report.coco import coco_file
from heap.results import coco_annotation

Annotation = Callable[[Labelled, int], dict[str, Any]]
"""An object as COCO has it, of the class of this number."""


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

"""COCO: one file for each split, masks as run lengths, with scores."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from heap.export.items import Item
from heap.export.writer import Add
from heap.report.coco import coco_file
from heap.results import coco_annotation


@contextmanager
def coco(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writes `annotations.json`, or `SPLIT.json` for each split; see `Writer`.

    An image without a file here is called by its key.
    """
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    with ExitStack() as stack:
        files = {
            split: stack.enter_context(
                coco_file(folder / f"{split or 'annotations'}.json", classes)
            )
            for split in splits
        }

        def add(item: Item, split: str, image: str) -> None:
            annotations = (
                coco_annotation(numbers[each.label], each.box, each.score, each.mask)
                for each in item.objects
            )
            files[split].add(image or item.key, item.width, item.height, annotations)

        yield add

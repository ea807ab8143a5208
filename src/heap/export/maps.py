"""Label maps: a PNG for each image whose values are its objects."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from heap.export.items import Item
from heap.export.names import printable_name
from heap.export.tables import csv_table
from heap.export.writer import Add, file_in

_SCHEMA = pa.schema(
    [
        pa.field("file", pa.string()),  # of the label map, below masks/
        pa.field("value", pa.int64()),
        pa.field("id", pa.string()),  # KEY#INDEX, as in the run; null: the image has no object
        pa.field("image", pa.string()),  # name of the photo
        pa.field("split", pa.string()),  # may be empty
        pa.field("label", pa.string()),
        pa.field("score", pa.float32()),
        pa.field("drawn", pa.bool_()),  # the mask is by a person
        pa.field("area", pa.int64()),  # pixels of the object
        pa.field("visible", pa.int64()),  # those of them that no better object covers
    ]
)


@contextmanager
def map_writer(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writer of `masks/NAME.png` and `labels.csv`; see `Writer`.

    0 is background, 1 the object of the best score, and so on; a better one covers a lower one.
    Maps are grey images of 8 bits, those with more than 255 objects of 16. An image without an
    object has a row with nothing but its map.
    """
    (folder / "masks").mkdir()
    with csv_table(folder / "labels.csv", _SCHEMA) as add_row:

        def add(item: Item, split: str, image: str) -> None:
            name = f"{item.name}.png"
            dense = [labelled.pixels for labelled in item.objects]
            values = np.zeros((item.height, item.width), _depth(len(dense)))
            # From the lowest score to the best, which is drawn last and so on top.
            for number in range(len(dense), 0, -1):
                values[dense[number - 1]] = number
            Image.fromarray(values).save(file_in(folder / "masks", name))
            visible = np.bincount(values.ravel(), minlength=len(dense) + 1).tolist()
            about = {"file": printable_name(name), "image": item.photo, "split": split}
            for number, labelled in enumerate(item.objects, start=1):
                add_row(
                    {
                        **about,
                        "value": number,
                        "id": labelled.id,
                        "label": labelled.label,
                        "score": labelled.score,
                        "drawn": labelled.drawn,
                        "area": int(dense[number - 1].sum()),
                        "visible": visible[number],
                    }
                )
            if not dense:
                add_row(about)

        yield add


def _depth(objects: int) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if objects <= np.iinfo(np.uint8).max else np.uint16

"""The table that says which photo the files of an export belong to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from heap.export.formats import Format
from heap.export.items import Item
from heap.export.names import printable_name
from heap.export.tables import csv_table, file_of
from heap.export.writer import Add

PHOTOS = "photos.csv"
"""Name of the table, in every export."""

_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string()),  # of the photo's files in the export, without suffix
        pa.field("photo", pa.string()),  # its name below what was listed
        pa.field("source", pa.string()),  # absolute path or URL; may be empty
        pa.field("file", pa.string()),  # path of its copy or link in the export; may be empty
        pa.field("split", pa.string()),  # may be empty
        pa.field("objects", pa.int64()),
    ]
)


@contextmanager
def photo_writer(path: Path, format: Format) -> Iterator[Add]:
    """Writer of a row for every image that an export holds."""
    with csv_table(path, _SCHEMA) as add_row:

        def add(item: Item, split: str, image: str) -> None:
            add_row(
                {
                    "name": printable_name(item.name),
                    "photo": item.photo,
                    "source": item.source,
                    "file": file_of(format, split, image),
                    "split": split,
                    "objects": len(item.objects),
                }
            )

        yield add

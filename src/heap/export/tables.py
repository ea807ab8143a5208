"""CSV and Parquet: a row for every object, and for every image without objects."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from heap.export.formats import FORMATS, Format
from heap.export.items import Item, Labelled
from heap.export.writer import Add

Row = dict[str, Any]
"""Values by column; what is missing is null, an empty cell."""
AddRow = Callable[[Row], None]

_ROWS = 4096
"""Rows that are written together, so that Parquet gets few row groups in bounded memory."""

_COLUMNS = [
    pa.field("id", pa.string()),  # KEY#INDEX, as in the run; null: the image has no object
    pa.field("image", pa.string()),  # name of the photo
    pa.field("source", pa.string()),  # absolute path or URL; may be empty
    pa.field("file", pa.string()),  # path of the image in this export; may be empty
    pa.field("split", pa.string()),  # may be empty
    pa.field("label", pa.string()),
    pa.field("score", pa.float32()),
    pa.field("drawn", pa.bool_()),  # the mask is by a person
    pa.field("x1", pa.float32()),  # xyxy pixel edges, from 0, x2 and y2 exclusive
    pa.field("y1", pa.float32()),
    pa.field("x2", pa.float32()),
    pa.field("y2", pa.float32()),
    pa.field("area", pa.int64()),  # pixels of the mask
    pa.field("mask_height", pa.int64()),  # of the image, so there is one without an object too
    pa.field("mask_width", pa.int64()),
    pa.field("mask_counts", pa.string()),  # COCO's compressed run lengths
]
CSV_SCHEMA = pa.schema(_COLUMNS)
PARQUET_SCHEMA = pa.schema([*_COLUMNS, pa.field("vector", pa.list_(pa.float32()))])


@contextmanager
def csv_writer(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writer of `objects.csv`, see `csv_table` and `Writer`."""
    with csv_table(folder / "objects.csv", CSV_SCHEMA) as add_row:
        yield _object_rows(add_row)


@contextmanager
def parquet_writer(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writer of `objects.parquet`, which has the vectors of the objects too; see `Writer`."""
    from pyarrow.parquet import ParquetWriter

    path = folder / "objects.parquet"
    with (
        ParquetWriter(path, PARQUET_SCHEMA, compression="zstd") as file,
        _rows(file, PARQUET_SCHEMA) as add_row,
    ):
        yield _object_rows(add_row)


@contextmanager
def csv_table(path: Path, schema: pa.Schema) -> Iterator[AddRow]:
    """Writer of a table in UTF-8, with a header and without formulas."""
    from heap.export.inert import InertWriter

    with InertWriter(path, schema) as file, _rows(file, schema) as add_row:
        yield add_row


def file_of(format: Format, split: str, image: str) -> str:
    """Path of an `image` in an export, as `Add` gets it; empty if there is none."""
    return str(PurePosixPath(format.folder.format(split=split), image)) if image else ""


@contextmanager
def _rows(file: Any, schema: pa.Schema) -> Iterator[AddRow]:
    waiting: list[Row] = []

    def flush() -> None:
        if waiting:
            file.write_table(pa.Table.from_pylist(waiting, schema=schema))
            waiting.clear()

    def add_row(row: Row) -> None:
        waiting.append(row)
        if len(waiting) >= _ROWS:
            flush()

    yield add_row
    flush()


def _object_rows(add_row: AddRow) -> Add:
    def add(item: Item, split: str, image: str) -> None:
        about = {
            "image": item.photo,
            "source": item.source,
            "file": file_of(FORMATS["csv"], split, image),
            "split": split,
            "mask_height": item.height,
            "mask_width": item.width,
        }
        for labelled in item.objects:
            add_row(about | _object_cells(labelled))
        if not item.objects:
            add_row(about)

    return add


def _object_cells(labelled: Labelled) -> Row:
    return {
        "id": labelled.id,
        "label": labelled.label,
        "score": labelled.score,
        "drawn": labelled.drawn,
        **dict(zip(("x1", "y1", "x2", "y2"), labelled.box, strict=True)),
        "area": int(labelled.pixels.sum()),
        "mask_counts": labelled.mask.counts,
        "vector": labelled.vector,
    }

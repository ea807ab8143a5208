"""CSV and Parquet: one row for each object, and for each image without one."""

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
"""Rows that are written together."""
_FORMULA = tuple("=+-@\t\r")
"""Spreadsheets take text that begins so for a formula, and run it."""
_EXACT = "mask_counts"
"""Has no letter that a formula needs to do anything."""

_COLUMNS = [
    pa.field("id", pa.string()),  # KEY#INDEX, as in the run; null: the image has no object
    pa.field("image", pa.string()),  # name of the photo
    pa.field("source", pa.string()),  # absolute path or URL; may be empty
    pa.field("file", pa.string()),  # path of the image in this export; may be empty
    pa.field("split", pa.string()),  # may be empty
    pa.field("label", pa.string()),
    pa.field("score", pa.float32()),
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
def csv(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writes `objects.csv`, see `csv_table` and `Writer`."""
    with csv_table(folder / "objects.csv", CSV_SCHEMA) as add_row:
        yield _adder(add_row)


@contextmanager
def parquet(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writes `objects.parquet`, which has the vectors of the objects too; see `Writer`."""
    from pyarrow.parquet import ParquetWriter

    path = folder / "objects.parquet"
    with (
        ParquetWriter(path, PARQUET_SCHEMA, compression="zstd") as file,
        _rows(file, PARQUET_SCHEMA) as add_row,
    ):
        yield _adder(add_row)


@contextmanager
def csv_table(path: Path, schema: pa.Schema) -> Iterator[AddRow]:
    """A table of rows, UTF-8 with a header; text that a spreadsheet would run begins with '."""
    from pyarrow.csv import CSVWriter

    with CSVWriter(path, schema) as file, _rows(file, schema) as add_row:
        yield lambda row: add_row(_inert(row))


def file_of(format: Format, split: str, image: str) -> str:
    """The path in an export of what a writer was told of as `image`; empty if there is nothing."""
    return str(PurePosixPath(format.folder.format(split=split), image)) if image else ""


def _inert(row: Row) -> Row:
    return {
        column: f"'{value}"
        if column != _EXACT and isinstance(value, str) and value.startswith(_FORMULA)
        else value
        for column, value in row.items()
    }


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


def _adder(add_row: AddRow) -> Add:
    def add(item: Item, split: str, image: str) -> None:
        about = {
            "image": item.photo,
            "source": item.source,
            "file": file_of(FORMATS["csv"], split, image),
            "split": split,
            "mask_height": item.height,
            "mask_width": item.width,
        }
        for each in item.objects:
            add_row(about | _of_object(each))
        if not item.objects:
            add_row(about)

    return add


def _of_object(each: Labelled) -> Row:
    return {
        "id": each.id,
        "label": each.label,
        "score": each.score,
        **dict(zip(("x1", "y1", "x2", "y2"), each.box, strict=True)),
        "area": int(each.pixels.sum()),
        "mask_counts": each.mask.counts,
        "vector": each.vector,
    }

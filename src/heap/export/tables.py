"""CSV and Parquet: one row for each object."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from heap.export.items import Item, Labelled
from heap.export.writer import Add

_ROWS = 4096
"""Rows that are written together."""

_COLUMNS = [
    pa.field("id", pa.string()),  # KEY#INDEX, as in the run
    pa.field("image", pa.string()),  # key of the image
    pa.field("source", pa.string()),  # absolute path or URL; may be empty
    pa.field("file", pa.string()),  # of the image in this export; may be empty
    pa.field("split", pa.string()),  # may be empty
    pa.field("label", pa.string()),
    pa.field("score", pa.float32()),
    pa.field("x1", pa.float32()),  # xyxy pixel edges, from 0, x2 and y2 exclusive
    pa.field("y1", pa.float32()),
    pa.field("x2", pa.float32()),
    pa.field("y2", pa.float32()),
    pa.field("area", pa.int64()),  # pixels of the mask
    pa.field("mask_height", pa.int64()),
    pa.field("mask_width", pa.int64()),
    pa.field("mask_counts", pa.string()),  # COCO's compressed run lengths
]
CSV_SCHEMA = pa.schema(_COLUMNS)
PARQUET_SCHEMA = pa.schema([*_COLUMNS, pa.field("vector", pa.list_(pa.float32()))])


@contextmanager
def csv(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writes `objects.csv`, UTF-8 with a header and without formulas; see `Writer`."""
    from heap.export.inert import InertWriter

    with InertWriter(folder / "objects.csv", CSV_SCHEMA) as file, _rows(file, CSV_SCHEMA) as add:
        yield add


@contextmanager
def parquet(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writes `objects.parquet`, which has the vectors of the objects too; see `Writer`."""
    from pyarrow.parquet import ParquetWriter

    path = folder / "objects.parquet"
    with (
        ParquetWriter(path, PARQUET_SCHEMA, compression="zstd") as file,
        _rows(file, PARQUET_SCHEMA) as add,
    ):
        yield add


@contextmanager
def _rows(file: Any, schema: pa.Schema) -> Iterator[Add]:
    waiting: list[dict[str, Any]] = []

    def flush(least: int) -> None:
        if len(waiting) >= least:
            file.write_table(pa.Table.from_pylist(waiting, schema=schema))
            waiting.clear()

    def add(item: Item, split: str, image: str) -> None:
        waiting.extend(_row(item, each, split, image) for each in item.objects)
        flush(_ROWS)

    yield add
    flush(1)


def _row(item: Item, each: Labelled, split: str, image: str) -> dict[str, Any]:
    return {
        "id": each.id,
        "image": item.key,
        "source": item.source,
        "file": image,
        "split": split,
        "label": each.label,
        "score": each.score,
        **dict(zip(("x1", "y1", "x2", "y2"), each.box, strict=True)),
        "area": int(each.pixels.sum()),
        "mask_height": each.mask.height,
        "mask_width": each.mask.width,
        "mask_counts": each.mask.counts,
        "vector": each.vector,
    }

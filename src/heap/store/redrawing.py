"""Objects of an image that are replaced, added or taken away, and the row of the image with them.

For the only writer. Nothing is written of an image whose rows are damaged.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from heap.base.errors import StoreError
from heap.store import schema
from heap.store.checked import CHECKSUM, with_checksums
from heap.store.columns import embedding_dim, read_rows
from heap.store.database import Database, Table, find_table
from heap.store.rows import redrawn_cells, to_finished
from heap.store.texts import quote

Rows = dict[str, dict[str, Any]]
"""Rows by their `id`, as text."""


def read_objects(database: Database, keys: Collection[str]) -> Rows:
    """Read the whole rows of the objects of some images, without their checksums."""
    table = find_table(database, schema.OBJECTS)
    if table is None or not keys:
        return {}
    columns = [name for name in table.schema.names if name != CHECKSUM]
    rows = read_rows(table, columns, f"key IN ({', '.join(map(quote, sorted(keys)))})")
    return {row["id"]: row for row in rows.to_pylist()}


def redraw(
    database: Database, key: str, put: Iterable[Mapping[str, Any]], gone: Collection[str] = ()
) -> None:
    """Put rows of objects in the place of those of the same `id`, and remove those in `gone`.

    The objects of the image are then counted from 0 without gaps, as before.

    Raises:
        StoreError: if what is stored of the image is damaged.
    """
    images, objects = database.open_table(schema.IMAGES), find_table(database, schema.OBJECTS)
    before, fresh = read_objects(database, [key]), {row["id"]: dict(row) for row in put}
    after = {id: row for id, row in (before | fresh).items() if id not in gone}
    if objects is None:
        dim = len(next(iter(fresh.values()))["vector"])
        objects = database.create_table(schema.OBJECTS, schema=schema.objects_schema(dim))
    dim = embedding_dim(objects)
    (image,) = images.search().where(f"key = {quote(key)}").to_arrow().to_pylist()
    try:
        to_finished(image, _in_order(before), dim)
    except (ValueError, TypeError) as error:
        raise StoreError(
            f"what is stored of {key!r} is damaged ({error}), so its masks cannot be corrected; "
            "`heap discover` with the same images does it again"
        ) from None
    cells = redrawn_cells(image, _in_order(after), dim)
    _put(objects, list(fresh.values()))
    if gone:
        objects.delete(f"id IN ({', '.join(map(quote, sorted(gone)))})")
    # The whole row: with a few columns LanceDB reads all of the table, see `Writer.move`.
    row = pa.Table.from_pylist([image | cells], schema=images.schema)
    images.merge_insert("key").when_matched_update_all().execute(row)


def redraw_back(database: Database, old: Rows, new: Rows) -> None:
    """Bring objects from how a correction of masks left them, `old`, to `new`.

    An image whose objects have other masks by now, as after its photo was worked on again, stays.
    """
    keys = sorted({row["key"] for row in (old | new).values()})
    now = read_objects(database, keys)
    for key in keys:
        left, wanted = _of_image(old, key), _of_image(new, key)
        unchanged = all(
            id in now and now[id]["mask_counts"] == row["mask_counts"] for id, row in left.items()
        )
        if unchanged and now.keys().isdisjoint(wanted.keys() - left.keys()):
            redraw(database, key, wanted.values(), left.keys() - wanted.keys())


def _of_image(rows: Rows, key: str) -> Rows:
    return {id: row for id, row in rows.items() if row["key"] == key}


def _in_order(rows: Rows) -> Sequence[Mapping[str, Any]]:
    return sorted(rows.values(), key=lambda row: int(row["index"]))


def _put(objects: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        whole = [{CHECKSUM: 0} | dict(row) for row in rows]
        table = with_checksums(pa.Table.from_pylist(whole, schema=objects.schema))
        merge = objects.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        merge.execute(table)

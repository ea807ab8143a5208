"""Snapshot of a run at one moment, in memory, without pictures and vectors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from heap.base.errors import StoreError
from heap.categories.groups import group_prototypes
from heap.categories.titles import title_of
from heap.store import schema
from heap.store.checked import CheckedObjects
from heap.store.columns import embedding_dim, read_rows
from heap.store.database import Table, reading
from heap.store.reader import damage_of
from heap.store.records import Finished
from heap.store.rejected import is_rejected
from heap.store.rows import to_finished
from heap.store.store import RunStore

_IMAGE = [
    *("key", "status", "width", "height", "digest", "checksum"),
    *("note", "stage", "reason", "source"),
]
_OBJECT = [
    *("id", "key", "index", "x1", "y1", "x2", "y2"),
    *("score", "category", "similarity", "rejected", "reviewed", "drawn", "outdated"),
]


@dataclass(frozen=True)
class Title:
    """A category without its members."""

    id: int
    name: str
    """Empty if nobody has given one."""
    title: str
    """The name, or the text that stands for it."""
    rejected: bool
    group: int
    """Number of the group of similar categories that it is in."""


@dataclass(frozen=True)
class Snapshot:
    """Images in the order of their keys; objects in that order and best first.

    Objects of images that are being written are left out: they may still go.
    """

    images: pa.Table
    """Rows of the table of images, failed ones included; `_rowid` is where to take the rest."""
    objects: pa.Table
    """Rows of the table of objects, rejected ones included; `image` is the row in `images`."""
    categories: tuple[Title, ...]
    """By number; none before the objects were sorted."""
    versions: tuple[int, int, int]
    """Versions of the tables of images, objects and categories; they change with every write."""
    run: object
    """Place of the run, for messages."""
    _image_table: Table
    _stored_objects: CheckedObjects | None

    @classmethod
    def take(cls, store: RunStore) -> "Snapshot":
        """Read a run as it is now.

        Raises:
            StoreError: if the store is damaged.
        """
        # Objects last: an image is only written after its objects, so that all of them are seen.
        image_table, category_table = store.table(schema.IMAGES), store.find(schema.CATEGORIES)
        objects = store.checked_objects()
        object_table = None if objects is None else objects.table
        with reading(store.run):
            images = read_rows(image_table, _IMAGE, with_row_id=True).sort_by("key")
            return cls(
                images,
                _read_objects(objects, images["key"]),
                () if category_table is None else _read_titles(category_table),
                versions_of(image_table, object_table, category_table),
                store.run,
                image_table,
                objects,
            )

    def sample(self, most: int) -> "Snapshot":
        """Return the run with at most so many images, spread evenly over its keys."""
        if self.images.num_rows <= most:
            return self
        kept = pa.array(np.linspace(0, self.images.num_rows - 1, most).astype(np.int64))
        at = pc.index_in(self.objects["image"], value_set=kept).cast(pa.int64())
        image = self.objects.schema.get_field_index("image")
        objects = self.objects.set_column(image, "image", at).filter(pc.is_valid(at))
        return replace(self, images=self.images.take(kept), objects=objects)

    @cached_property
    def accepted(self) -> Bool[np.ndarray, " object"]:
        """Whether nobody has rejected an object, nor its category."""
        categories = [category.id for category in self.categories if category.rejected]
        return ~is_rejected(self.objects, categories)

    @cached_property
    def category_of(self) -> Int64[np.ndarray, " object"]:
        """Category of each object; -1: not sorted yet."""
        return np.asarray(self.objects["category"].fill_null(-1).to_numpy(), dtype=np.int64)

    @cached_property
    def counts(self) -> Int64[np.ndarray, " image"]:
        """Number of accepted objects in every image."""
        image_of = self.objects["image"].to_numpy()[self.accepted]
        return np.bincount(image_of, minlength=self.images.num_rows).astype(np.int64)

    @cached_property
    def _image_places(self) -> dict[str, int]:
        return {key: at for at, key in enumerate(self.images["key"].to_pylist())}

    @cached_property
    def _object_ids(self) -> frozenset[str]:
        return frozenset(self.objects["id"].to_pylist())

    def image(self, key: str) -> dict[str, Any] | None:
        """The row of an image, or None if there is none."""
        at = self._image_places.get(key)
        return None if at is None else self.images.slice(at, 1).to_pylist()[0]

    def has_object(self, object_id: str) -> bool:
        """Whether there is an object of this id, rejected or not."""
        return object_id in self._object_ids

    def thumbnail(self, key: str) -> bytes:
        """The stored JPEG of an image; empty if there is none.

        Raises:
            StoreError: if the store is damaged.
        """
        with reading(self.run):
            (row,) = _take(self._image_table, [self._row_id(key)], ["thumbnail"])
            return bytes(row["thumbnail"] or b"")

    def record(self, key: str) -> Finished:
        """All that is stored of an image that was worked on to the end.

        Raises:
            StoreError: if the store is damaged.
        """
        at = self._image_places[key]
        start, end = np.searchsorted(self.objects["image"].to_numpy(), [at, at + 1])
        row_ids = self.objects["_rowid"].slice(start, end - start).to_pylist()
        with reading(self.run):
            (image,) = _take(self._image_table, [self._row_id(key)])
            table = None if self._stored_objects is None else self._stored_objects.table
            parts = _take(table, row_ids) if table is not None and row_ids else []
            in_order = sorted(parts, key=lambda part: int(part["index"]))
            try:
                return to_finished(image, in_order, embedding_dim(table))
            except (ValueError, TypeError) as error:
                raise StoreError(damage_of(self.run, key, error)) from None

    def _row_id(self, key: str) -> int:
        return int(self.images["_rowid"][self._image_places[key]].as_py())


def versions_of(
    images: Table, objects: Table | None, categories: Table | None
) -> tuple[int, int, int]:
    """Versions of the tables."""
    later = (0 if table is None else int(table.version) for table in (objects, categories))
    return (int(images.version), *later)  # type: ignore[return-value]


def _read_objects(stored: CheckedObjects | None, keys: pa.ChunkedArray) -> pa.Table:
    if stored is None:
        columns = pa.schema([*map(schema.objects_schema(1).field, _OBJECT)])
        return columns.empty_table().append_column("image", pa.array([], pa.int64()))
    objects = stored.read(_OBJECT, with_row_id=True)
    at = pc.index_in(objects["key"], value_set=keys.combine_chunks())
    objects = objects.append_column("image", at.cast(pa.int64())).filter(pc.is_valid(at))
    return objects.sort_by([("image", "ascending"), ("index", "ascending")])


def _read_titles(table: Table) -> tuple[Title, ...]:
    columns = ["id", "name", "rejected", "prototype"]
    kept = read_rows(table, columns).sort_by("id").to_pylist()
    groups = group_prototypes(np.array([row["prototype"] for row in kept], dtype=np.float32))
    return tuple(
        Title(row["id"], row["name"], title_of(row["id"], row["name"]), row["rejected"], group)
        for row, group in zip(kept, groups.tolist(), strict=True)
    )


def _take(
    table: Table, row_ids: Sequence[int], columns: list[str] | None = None
) -> list[dict[str, Any]]:
    query = table.take_row_ids(list(row_ids))
    return list((query if columns is None else query.select(columns)).to_arrow().to_pylist())

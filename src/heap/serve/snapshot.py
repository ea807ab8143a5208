"""What a run holds at one moment, without pictures and vectors, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, Int64

from heap.report.cards import LOW_CONFIDENCE
from heap.store import schema
from heap.store.columns import rows, width
from heap.store.database import Table, reading
from heap.store.records import Finished
from heap.store.rows import to_finished
from heap.store.store import RunStore

_IMAGE = [
    *("key", "status", "width", "height", "digest", "checksum"),
    *("note", "stage", "reason", "source"),
]
_OBJECT = ["id", "key", "index", "x1", "y1", "x2", "y2", "score", "category", "similarity"]


@dataclass(frozen=True)
class Snapshot:
    """Images in the order of their keys; objects in that order and best first.

    Objects of images that are being written are left out: they may still go.
    """

    images: pa.Table
    """Rows of the table of images, failed ones included; `_rowid` is where to take the rest."""
    objects: pa.Table
    """Rows of the table of objects, rejected ones included."""
    image_of: Int64[np.ndarray, " object"]
    """Row in `images` of each object."""
    run: object
    """Named where the store is damaged."""
    _image_table: Table
    _object_table: Table | None

    @classmethod
    def take(cls, store: RunStore) -> "Snapshot":
        """Read a run as it is now.

        Raises:
            StoreError: if the store is damaged.
        """
        # Objects last: an image is only written after its objects, so that all of them are seen.
        image_table = store.table(schema.IMAGES)
        object_table = store.find(schema.OBJECTS)
        images = rows(image_table, _IMAGE, with_row_id=True).sort_by("key")
        if object_table is None:
            nothing = pa.schema([*map(schema.objects_schema(1).field, [*_OBJECT, "rejected"])])
            none = np.zeros(0, dtype=np.int64)
            return cls(images, nothing.empty_table(), none, store.run, image_table, None)
        found = rows(object_table, [*_OBJECT, "rejected"], with_row_id=True)
        at = pc.index_in(found["key"], value_set=images["key"].combine_chunks())
        found = found.append_column("image", at).filter(pc.is_valid(at))
        found = found.sort_by([("image", "ascending"), ("index", "ascending")])
        image_of = found["image"].to_numpy().astype(np.int64)
        return cls(images, found, image_of, store.run, image_table, object_table)

    @property
    def versions(self) -> tuple[int, int]:
        """They change with every write."""
        return versions_of(self._image_table, self._object_table)

    @cached_property
    def accepted(self) -> Bool[np.ndarray, " object"]:
        """Which objects nobody has rejected."""
        return np.asarray(~self.objects["rejected"].to_numpy().astype(bool))

    @cached_property
    def scores(self) -> Float32[np.ndarray, " object"]:
        """Score of each object."""
        return np.asarray(self.objects["score"].to_numpy(), dtype=np.float32)

    @cached_property
    def categories(self) -> Int64[np.ndarray, " object"]:
        """Category of each object; -1: not sorted yet."""
        return np.asarray(self.objects["category"].fill_null(-1).to_numpy(), dtype=np.int64)

    @cached_property
    def best(self) -> Float32[np.ndarray, " image"]:
        """Best score of each image among its accepted objects; 0 without one."""
        found = np.zeros(self.images.num_rows, dtype=np.float32)
        np.maximum.at(found, self.image_of[self.accepted], self.scores[self.accepted])
        return found

    @cached_property
    def counts(self) -> Int64[np.ndarray, " image"]:
        """How many accepted objects each image has."""
        images = self.images.num_rows
        found = np.bincount(self.image_of[self.accepted], minlength=images)
        return np.asarray(found, dtype=np.int64)

    @cached_property
    def kinds(self) -> np.ndarray:
        """Of each image "failed", "none" without an object, "low" without a certain one, "sure"."""
        failed = np.asarray(pc.equal(self.images["status"], "failed"), dtype=bool)
        cases = [failed, self.counts == 0, self.best < LOW_CONFIDENCE]
        return np.select(cases, ["failed", "none", "low"], "sure")

    @cached_property
    def _image_places(self) -> dict[str, int]:
        return {key: at for at, key in enumerate(self.images["key"].to_pylist())}

    @cached_property
    def _object_places(self) -> dict[str, int]:
        return {each: at for at, each in enumerate(self.objects["id"].to_pylist())}

    def place_of(self, key: str) -> int:
        """Row in `images` of an image that there is."""
        return self._image_places[key]

    def image(self, key: str) -> dict[str, Any] | None:
        """The row of an image, or None if there is none."""
        at = self._image_places.get(key)
        return None if at is None else self.images.slice(at, 1).to_pylist()[0]

    def object(self, object_id: str) -> dict[str, Any] | None:
        """The row of an object, or None if there is none."""
        at = self._object_places.get(object_id)
        return None if at is None else self.objects.slice(at, 1).to_pylist()[0]

    def objects_of(self, key: str) -> list[dict[str, Any]]:
        """The rows of the objects of an image, best first."""
        at = self._image_places[key]
        start, end = np.searchsorted(self.image_of, [at, at + 1])
        return list(self.objects.slice(start, end - start).to_pylist())

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
        with reading(self.run):
            (image,) = _take(self._image_table, [self._row_id(key)])
            parts = self.objects_of(key)
            if self._object_table is None or not parts:
                return to_finished(image, [], width(self._object_table))
            found = _take(self._object_table, [part["_rowid"] for part in parts])
            in_order = sorted(found, key=lambda part: int(part["index"]))
            return to_finished(image, in_order, width(self._object_table))

    def _row_id(self, key: str) -> int:
        return int(self.images["_rowid"][self._image_places[key]].as_py())


def versions_of(images: Table, objects: Table | None) -> tuple[int, int]:
    """Versions of the two tables."""
    return int(images.version), 0 if objects is None else int(objects.version)


def _take(
    table: Table, row_ids: Sequence[int], columns: list[str] | None = None
) -> list[dict[str, Any]]:
    query = table.take_row_ids(list(row_ids))
    return list((query if columns is None else query.select(columns)).to_arrow().to_pylist())

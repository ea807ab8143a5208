"""Objects of a run with their embeddings and categories, read and written together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int64

from heap.base.errors import InputError
from heap.store.checked import CheckedObjects
from heap.store.columns import to_vectors
from heap.store.database import reading
from heap.store.editing import Editor
from heap.store.index import FINDABLE
from heap.store.store import RunStore

_COLUMNS = ["id", "vector", "category", "rejected"]


@dataclass(frozen=True)
class Members:
    """Objects of a run, in the order of their ids."""

    ids: list[str]
    vectors: Float32[np.ndarray, "object dim"]
    categories: Int64[np.ndarray, " object"]
    """-1: not sorted yet."""
    usable: Bool[np.ndarray, " object"]
    """False for objects that a person has rejected."""


def read_members(store: RunStore, where: str | None = None) -> Members:
    """Read the objects of a run, or those that fit the filter `where`.

    Raises:
        InputError: if there are none in the run.
    """
    with reading(store.run):
        return _members(stored_objects(store).read(_COLUMNS, where))


def sample_members(store: RunStore, most: int) -> Members:
    """Read at most so many objects, spread evenly over those that nobody has rejected.

    Raises:
        InputError: if there are none in the run.
    """
    stored = stored_objects(store)
    if stored.count(FINDABLE) <= most:
        return read_members(store, FINDABLE)
    with reading(store.run):
        places = stored.read(["id"], FINDABLE, with_row_id=True).sort_by("id")["_rowid"]
        chosen = places.take(np.linspace(0, len(places) - 1, most).astype(np.int64))
        taken = stored.table.take_row_ids(chosen.to_pylist()).select(_COLUMNS)
        return _members(taken.to_arrow())


def stored_objects(store: RunStore) -> CheckedObjects:
    """Return the table of objects.

    Raises:
        InputError: if there are none in the run.
    """
    stored = store.checked_objects()
    if stored is None:
        raise InputError(f"{store.run} has no objects, so there is nothing to sort")
    return stored


def _members(objects: pa.Table) -> Members:
    objects = objects.sort_by("id")
    return Members(
        objects["id"].to_pylist(),
        to_vectors(objects),
        objects["category"].fill_null(-1).to_numpy(),
        ~objects["rejected"].to_numpy(),
    )


def places_of(
    store: RunStore, objects: Members, ids: Sequence[str]
) -> Int64[np.ndarray, " chosen"]:
    """Rows of the objects with these ids, each once, in their order.

    Raises:
        InputError: if there is no such object.
    """
    places = {name: place for place, name in enumerate(objects.ids)}
    if unknown := [name for name in ids if name not in places]:
        raise InputError(f"{store.run} has no object {unknown[0]!r}; its ids are KEY#NUMBER")
    return np.array([places[name] for name in dict.fromkeys(ids)], dtype=np.int64)


def write_members(
    editor: Editor,
    objects: Members,
    which: Int64[np.ndarray, " chosen"],
    numbers: Int64[np.ndarray, " chosen"] | int,
    similarity: Float32[np.ndarray, " chosen"],
) -> None:
    """Write the category and the similarity to its prototype of objects in the rows `which`."""
    columns = {
        "id": pa.array([objects.ids[place] for place in which], pa.string()),
        "category": pa.array(np.broadcast_to(numbers, len(which)), pa.int64()),
        "similarity": pa.array(similarity, pa.float32()),
    }
    editor.merge_objects(pa.table(columns))

"""Objects of a run with their embeddings and categories, read and written all together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int64

from heap.base.errors import InputError
from heap.store.columns import to_vectors
from heap.store.database import reading
from heap.store.editing import Editor
from heap.store.store import RunStore


@dataclass(frozen=True)
class Members:
    """All objects of a run, in the order of their ids."""

    ids: list[str]
    vectors: Float32[np.ndarray, "object dim"]
    categories: Int64[np.ndarray, " object"]
    """-1: not sorted yet."""
    usable: Bool[np.ndarray, " object"]
    """False for objects that a person has rejected."""


def read_members(store: RunStore) -> Members:
    """Read the objects of a run.

    Raises:
        InputError: if there are none.
    """
    stored = store.checked_objects()
    if stored is None:
        raise InputError(f"{store.run} has no objects, so there is nothing to sort")
    with reading(store.run):
        objects = stored.read(["id", "vector", "category", "rejected"]).sort_by("id")
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

"""Search: the objects nearest to a vector, among those that a filter allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Float32
from lancedb.query import LanceVectorQueryBuilder

from heap.collection import schema
from heap.collection.database import reading
from heap.collection.reading import rows
from heap.collection.store import RunStore
from heap.errors import InputError

_COLUMNS = ["id", "key", "x1", "y1", "x2", "y2", "score", "category"]


@dataclass(frozen=True)
class Hit:
    """An object that was found."""

    id: str
    key: str
    """Name of its image in the run."""
    box: tuple[float, float, float, float]
    """Xyxy, in pixels of the upright original."""
    score: float
    category: int | None
    """0: of no category; None: not sorted yet."""
    similarity: float
    """Cosine with what was looked for, in [-1, 1]."""


def nearest(
    store: RunStore,
    vector: Float32[np.ndarray, " dim"],
    count: int = 20,
    *,
    where: str | None = None,
    without: Sequence[str] = (),
) -> list[Hit]:
    """The objects most like `vector`, most alike first; every one of them is looked at.

    Rejected objects are never found, nor those whose id is in `without`. `where` is a condition in
    SQL on the columns of the table of objects, see `heap.collection.schema`, such as
    `score > 0.5 AND category = 3`.

    Raises:
        InputError: if `where` is no such condition, or the vector has another length.
        StoreError: if the store is damaged.
    """
    table = store.find(schema.OBJECTS)
    if table is None:
        return []
    dim = table.schema.field("vector").type.list_size
    if len(vector) != dim:
        raise InputError(
            f"the objects of {store.run} have embeddings of {dim} numbers, and what is looked for "
            f"has {len(vector)}; use the model that the run was made with"
        )
    condition = "NOT rejected"
    if where is not None:
        try:
            table.count_rows(where)
        # LanceDB has no error of its own for what it cannot parse.
        except Exception as error:
            first = (str(error).splitlines() or [""])[0][:200]
            raise InputError(
                f"the condition {where!r} cannot be used ({first}); an example is "
                '"score > 0.5 AND category = 3"'
            ) from error
        condition = f"({where}) AND {condition}"
    with reading(store.run):
        asked = cast(LanceVectorQueryBuilder, table.search(vector.astype(np.float32)))
        query = asked.distance_type("cosine").where(condition, prefilter=True)
        query = query.bypass_vector_index()
        found = query.limit(count + len(without)).select([*_COLUMNS, "_distance"]).to_list()
    hits = [
        Hit(
            row["id"], row["key"], (row["x1"], row["y1"], row["x2"], row["y2"]), row["score"],
            row["category"], 1 - row["_distance"],
        )
        for row in found
        if row["id"] not in without
    ]  # fmt: skip
    return hits[:count]


def vector_of(store: RunStore, object_id: str) -> Float32[np.ndarray, " dim"]:
    """The embedding of an object of the run.

    Raises:
        InputError: if there is no such object.
    """
    table = store.find(schema.OBJECTS)
    quoted = object_id.replace("'", "''")
    found = [] if table is None else rows(table, ["vector"], f"id = '{quoted}'").to_pylist()
    if not found:
        raise InputError(f"{store.run} has no object {object_id!r}; its ids are KEY#NUMBER")
    return np.asarray(found[0]["vector"], dtype=np.float32)

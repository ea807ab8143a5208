"""Search: the objects nearest to a vector, among those that a filter allows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float32

from heap.collection import schema
from heap.collection.database import Table, reading
from heap.collection.index import FINDABLE, Index, look, usable
from heap.collection.reading import rows, width
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


class Hits(list[Hit]):
    """Objects that were found, most alike first."""

    def __init__(self, hits: Iterable[Hit] = (), searched_with: Index | None = None) -> None:
        super().__init__(hits)
        self.searched_with = searched_with
        """The index that was used, with its recall; None: every object was looked at."""


def nearest(
    store: RunStore,
    vector: Float32[np.ndarray, " dim"],
    count: int = 20,
    *,
    where: str | None = None,
    without: Sequence[str] = (),
    exact: bool | None = None,
) -> Hits:
    """The objects most like `vector`, most alike first.

    Every one of them is looked at if there are at most `heap.collection.index.SIZE` that fit, or
    the run has no index yet, or `exact`. Otherwise the index is used; so it is for any number of
    objects if `exact` is False.

    Rejected objects, and those of rejected categories, are never found, nor those whose id is in
    `without`. `where` is a condition in
    SQL on the columns of the table of objects, see `heap.collection.schema`, such as
    `score > 0.5 AND category = 3`.

    Raises:
        InputError: if `where` is no such condition, or the vector has another length.
        StoreError: if the store is damaged.
    """
    table = store.find(schema.OBJECTS)
    if table is None:
        return Hits()
    dim = width(table)
    if len(vector) != dim:
        raise InputError(
            f"the objects of {store.run} have embeddings of {dim} numbers, and what is looked for "
            f"has {len(vector)}; use the model that the run was made with"
        )
    fitting = _count_fitting(store, table, where)
    condition = " AND ".join([f"({where})"] * (where is not None) + [FINDABLE, *_accepted(store)])
    wanted = count + len(without)
    with reading(store.run):
        index = usable(store.database, fitting, exact)
        look_for = partial(look, table, vector, wanted, columns=_COLUMNS, condition=condition)
        found = look_for(probes=None if index is None else index.probes_among(fitting))
        # The parts that were looked through may hold too few of those that fit.
        if index is not None and len(found) < min(wanted, fitting):
            index, found = None, look_for()
    hits = [
        Hit(
            row["id"], row["key"], (row["x1"], row["y1"], row["x2"], row["y2"]), row["score"],
            row["category"], 1 - row["_distance"],
        )
        for row in found
        if row["id"] not in without
    ]  # fmt: skip
    return Hits(hits[:count], index)


def _accepted(store: RunStore) -> list[str]:
    """The condition that an object's category was not rejected; none if no category was."""
    made = store.find(schema.CATEGORIES)
    refused = [] if made is None else rows(made, ["id"], "rejected")["id"].to_pylist()
    if not refused:
        return []
    return [f"(category IS NULL OR category NOT IN ({', '.join(map(str, refused))}))"]


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


def _count_fitting(store: RunStore, table: Table, where: str | None) -> int:
    """How many objects fit a condition, rejected ones included."""
    if where is None:
        with reading(store.run):
            return int(table.count_rows())
    try:
        return int(table.count_rows(where))
    # LanceDB has no error of its own for what it cannot parse.
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise InputError(
            f"the condition {where!r} cannot be used ({first}); an example is "
            '"score > 0.5 AND category = 3"'
        ) from error

"""Search: the objects nearest to a vector, among those that a filter allows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite

import numpy as np
from jaxtyping import Float32

from heap.base.errors import InputError
from heap.store.columns import embedding_dim
from heap.store.database import reading
from heap.store.index import FINDABLE, Index, find_nearest, index_for
from heap.store.rejected import category_condition, rejected_categories
from heap.store.store import RunStore
from heap.store.texts import is_storable, quote

_COLUMNS = ["id", "key", "x1", "y1", "x2", "y2", "score", "category"]


@dataclass(frozen=True)
class Hit:
    """An object that a search found."""

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
    """Objects that a search found, most alike first."""

    def __init__(
        self, hits: Iterable[Hit] = (), searched_with: Index | None = None, outdated: int = 0
    ) -> None:
        super().__init__(hits)
        self.outdated = outdated
        """Objects of the run whose masks were corrected where the model was not at hand: they are
        compared by their earlier embeddings, and new ones are not found."""
        self.searched_with = searched_with
        """The index that was used, with its recall; None: every object was compared."""


def nearest(
    store: RunStore,
    vector: Float32[np.ndarray, " dim"],
    count: int = 20,
    *,
    where: str | None = None,
    without: Sequence[str] = (),
    exact: bool | None = None,
) -> Hits:
    """Find the objects most like `vector`, most alike first.

    Every object is compared if at most `heap.store.index.SIZE` fit, or the run has no index yet, or
    `exact` is True. Otherwise the index is used; if `exact` is False it is used for any number.

    Rejected objects, and those of rejected categories, are never found, nor those whose id is in
    `without`. `where` is a condition such as `score > 0.5 AND category = 3`, see
    `heap.store.condition`.

    Raises:
        InputError: if `where` is no such condition, the vector has another length or nan in it, or
            `count` is below 1.
        StoreError: if the store is damaged.
    """
    if count < 1:
        raise InputError(f"count is {count}, and at least 1 object has to be looked for")
    conditions = []
    if where is not None:
        # The parser of SQL takes a while to import, and few searches have a condition.
        from heap.store.condition import read_condition

        conditions.append(read_condition(where))
    objects = store.checked_objects()
    if objects is None:
        return Hits()
    _check(store, vector, embedding_dim(objects.table))
    with reading(store.run):
        fitting = objects.count(*conditions)
        outdated = objects.count(f"outdated AND {FINDABLE}")
    condition = objects.condition(
        *conditions, FINDABLE, *category_condition(rejected_categories(store))
    )
    # Never ask for more than there are: LanceDB reserves memory for the number that is asked for.
    wanted = max(1, min(count + len(without), fitting))
    with reading(store.run):
        index = index_for(store.database, fitting, exact)
        look_for = partial(
            find_nearest, objects.table, vector, wanted, columns=_COLUMNS, condition=condition
        )
        matches = look_for(probes=None if index is None else index.probes_among(fitting))
        # The parts that were looked through may hold too few of those that fit.
        if index is not None and len(matches) < wanted:
            index, matches = None, look_for()
    hits = [
        Hit(
            row["id"], row["key"], (row["x1"], row["y1"], row["x2"], row["y2"]), row["score"],
            row["category"], 1 - row["_distance"],
        )
        for row in matches
        # An object that was never embedded has no cosine with anything.
        if row["id"] not in without and isfinite(row["_distance"])
    ]  # fmt: skip
    return Hits(hits[:count], index, outdated)


def _check(store: RunStore, vector: Float32[np.ndarray, " _"], dim: int) -> None:
    """Raise InputError unless a vector can be compared with the objects of a run."""
    if len(vector) != dim:
        raise InputError(
            f"the objects of {store.run} have embeddings of {dim} numbers, and what is looked for "
            f"has {len(vector)}; use the model that the run was made with"
        )
    if not np.isfinite(vector).all():
        raise InputError("what is looked for has an embedding with nan or inf in it")


def vector_of(store: RunStore, object_id: str) -> Float32[np.ndarray, " dim"]:
    """The embedding of an object of the run.

    Raises:
        InputError: if there is no such object.
    """
    objects = store.checked_objects()
    matching = []
    if objects is not None and is_storable(object_id):
        with reading(store.run):
            matching = objects.read(["vector"], f"id = {quote(object_id)}").to_pylist()
    if not matching:
        raise InputError(f"{store.run} has no object {object_id!r}; its ids are KEY#NUMBER")
    return np.asarray(matching[0]["vector"], dtype=np.float32)

"""Rejected objects: those that a person has rejected, and those of rejected categories."""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from heap.store import schema
from heap.store.columns import read_rows
from heap.store.database import reading
from heap.store.store import RunStore


def rejected_categories(store: RunStore) -> frozenset[int]:
    """Numbers of the categories that a person has rejected.

    Raises:
        StoreError: if the store is damaged.
    """
    table = store.find(schema.CATEGORIES)
    if table is None:
        return frozenset()
    with reading(store.run):
        return frozenset(read_rows(table, ["id"], "rejected")["id"].to_pylist())


def is_rejected(objects: pa.Table, categories: Collection[int]) -> Bool[np.ndarray, " object"]:
    """Whether objects are rejected, given the rejected `categories`.

    The table has the columns `rejected` and `category`.
    """
    of_them = pc.is_in(objects["category"], value_set=pa.array(sorted(categories), pa.int64()))
    return np.asarray(pc.or_(objects["rejected"], of_them), dtype=bool)


def category_condition(categories: Collection[int]) -> list[str]:
    """Condition, for the store, that an object is of none of the `categories`; none without any."""
    if not categories:
        return []
    numbers = ", ".join(map(str, sorted(categories)))
    return [f"(category IS NULL OR category NOT IN ({numbers}))"]

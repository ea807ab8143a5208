"""List of the categories of a run, with their members.

Categories are numbered from 1, and numbers are never used again. An object that fits into none has
the category 0; one that was found after the last sorting has none yet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64, Int64

from heap.categories.groups import group_prototypes
from heap.categories.titles import title_of
from heap.results import Compared
from heap.store import schema
from heap.store.database import reading
from heap.store.store import RunStore

NONE = 0
"""Number that stands for no category."""
TYPICAL = 12
"""Most typical members that are named."""


@dataclass(frozen=True, eq=False)
class Category(Compared):
    """Objects that are alike."""

    id: int
    name: str
    """Given by a person; empty if nobody has."""
    rejected: bool
    """A person has said that these are no objects."""
    size: int
    """Members, without rejected ones."""
    coherence: float
    """Mean cosine of the members with the prototype; nan without members."""
    typical: tuple[str, ...]
    """Ids of the members nearest to the prototype, nearest first."""
    prototype: Float32[np.ndarray, " dim"] = field(repr=False)
    """Mean direction of the members that it was made of."""
    group: int
    """Number of the group of similar categories that it is in, see `heap.categories.groups`."""

    @property
    def title(self) -> str:
        """The name, or what stands for it."""
        return title_of(self.id, self.name)


def count_apart(store: RunStore) -> int:
    """Number of objects that fit into no category, without rejected ones."""
    objects = store.checked_objects()
    with reading(store.run):
        return 0 if objects is None else objects.count(f"category = {NONE} AND NOT rejected")


def categories(store: RunStore) -> list[Category]:
    """The categories of a run, by number; none if its objects were never sorted."""
    table = store.find(schema.CATEGORIES)
    objects = store.checked_objects()
    if table is None or objects is None:
        return []
    columns = ["id", "category", "similarity"]
    with reading(store.run):
        members = objects.read(columns, "category > 0 AND NOT rejected")
        rows = table.to_arrow().to_pylist()
    return list_categories(rows, members)


def list_categories(rows: Iterable[Mapping[str, Any]], members: pa.Table) -> list[Category]:
    """The categories of some rows, by number, with their members: id, category and similarity."""
    category_of = members["category"].to_numpy()
    similarity = members["similarity"].to_numpy()
    # Two members are equally near to their mean but for rounding: with the digits that the page has
    # they are in the same order here and there.
    ranked = similarity.astype(np.float64).round(6)
    in_order = sorted(rows, key=lambda row: int(row["id"]))
    prototypes = np.array([row["prototype"] for row in in_order], dtype=np.float32)
    listed = []
    for row, prototype, group in zip(
        in_order, prototypes, group_prototypes(prototypes).tolist(), strict=True
    ):
        mine = np.flatnonzero(category_of == row["id"])
        listed.append(
            Category(
                id=row["id"],
                name=row["name"],
                rejected=row["rejected"],
                size=len(mine),
                coherence=float(similarity[mine].mean()) if len(mine) else float("nan"),
                typical=_typical(members["id"], ranked, mine),
                prototype=prototype,
                group=group,
            )
        )
    return listed


def _typical(
    ids: pa.ChunkedArray, similarity: Float64[np.ndarray, " object"], mine: Int64[np.ndarray, " _"]
) -> tuple[str, ...]:
    """Ids of the most typical of the objects in the rows `mine`; equal ones in their order."""
    if len(mine) > TYPICAL:
        # Only of these the ids are needed: those of all objects would be more than all else here.
        least = -np.partition(-similarity[mine], TYPICAL - 1)[TYPICAL - 1]
        mine = mine[similarity[mine] >= least]
    named = sorted(zip(-similarity[mine], ids.take(mine).to_pylist(), strict=True))
    return tuple(id for _, id in named[:TYPICAL])

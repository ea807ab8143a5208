"""List of the categories of a run, with their members.

Categories are numbered from 1, and numbers are never used again. An object that fits into none has
the category 0; one that was found after the last sorting has none yet.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32

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
    category_of = members["category"].to_numpy()
    similarity, ids = members["similarity"].to_numpy(), np.array(members["id"].to_pylist())
    listed = []
    for row in sorted(rows, key=lambda row: int(row["id"])):
        mine = np.flatnonzero(category_of == row["id"])
        order = mine[np.lexsort((ids[mine], -similarity[mine]))]
        listed.append(
            Category(
                id=row["id"],
                name=row["name"],
                rejected=row["rejected"],
                size=len(mine),
                coherence=float(similarity[mine].mean()) if len(mine) else float("nan"),
                typical=tuple(ids[order[:TYPICAL]].tolist()),
                prototype=np.asarray(row["prototype"], dtype=np.float32),
            )
        )
    return listed

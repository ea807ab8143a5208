"""Sorting: categories are made, or shown as they would be, and objects get theirs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int64

from heap.base.errors import InputError
from heap.categories.cluster import CRITERION, Clusters, cluster, match_clusters
from heap.categories.listing import NONE, Category, list_categories
from heap.categories.members import Members, sample_members, stored_objects
from heap.store import schema
from heap.store.columns import to_vectors, unit_vectors
from heap.store.database import reading
from heap.store.editing import Editor
from heap.store.store import RunStore

MOST = 100_000
"""Objects that categories are made of at most, spread evenly over the run; all are sorted by them:
of ten million objects the embeddings of all would be 15 GB."""
_LAST_SEED = 2**32 - 1
"""Largest seed that scikit-learn takes."""


@dataclass(frozen=True)
class ProposedCategories:
    """Categories as they would be if they were made again."""

    categories: list[Category]
    """By number; one that continues a category of now has its number and name."""
    apart: int
    """Objects that would fit into no category."""
    moved: int
    """Objects that would leave the category that they are in now."""
    lost: list[str]
    """Names that no category would have any more."""


@dataclass(frozen=True)
class Prototypes:
    """The categories of a run, as objects are sorted by them."""

    numbers: Int64[np.ndarray, " category"]
    clusters: Clusters

    def sort(
        self, vectors: Float32[np.ndarray, "object dim"]
    ) -> tuple[Int64[np.ndarray, " object"], Float32[np.ndarray, " object"]]:
        """Category of each vector, `NONE` where it fits into none, and its similarity."""
        places, similarity = self.clusters.assign(vectors)
        return np.append(self.numbers, NONE)[places], similarity

    def similarity(self, vector: Float32[np.ndarray, " dim"], category: int) -> float | None:
        """Cosine with the prototype of a category; None where there is no such category."""
        (places,) = np.nonzero(self.numbers == category)
        if not len(places):
            return None
        return float(unit_vectors(vector[None])[0] @ self.clusters.prototypes[places[0]])


def read_prototypes(store: RunStore) -> Prototypes | None:
    """Read the categories of a run; None where there are none."""
    table = store.find(schema.CATEGORIES)
    if table is None:
        return None
    with reading(store.run):
        return _to_prototypes(table.to_arrow().sort_by("id").to_pylist())


def _to_prototypes(rows: Sequence[Mapping[str, Any]]) -> Prototypes:
    vectors, least = (
        np.array([row[name] for row in rows], dtype=np.float32) for name in ("prototype", "least")
    )
    numbers = np.array([row["id"] for row in rows], dtype=np.int64)
    return Prototypes(numbers, Clusters(vectors, least))


def sort_objects(
    editor: Editor,
    count: int | Literal["auto"] | None = None,
    *,
    again: bool = False,
    seed: int = 0,
) -> int:
    """Give a category to every object that has none; returns the number of these objects.

    Where there are no categories yet, or with `again`, they are made: `count` of them, or as many
    as `CRITERION` says, of at most `MOST` objects. A category made again that shares its members
    with an earlier one keeps the number, the name and whether it is rejected. A kill leaves objects
    unsorted; the next call sorts them, by the earlier categories first if it makes new ones.

    Raises:
        InputError: if there are fewer than two objects, or too few for `count`, or if `count` is
            given where there are categories and not `again`, or is below 1, or `seed` is none.
    """
    _check(count, seed)
    store = editor.store
    table = store.find(schema.CATEGORIES)
    stored_objects(store)
    if table is None or again:
        old = [] if table is None else table.to_arrow().to_pylist()
        # If this was killed before, objects have lost their categories. They get them back by their
        # embeddings, or no new category could go on an earlier one.
        if old:
            _sort_waiting(editor)
        used = sample_members(store, MOST)
        editor.replace_categories(_make_rows(used, old, None if count == "auto" else count, seed))
    elif count is not None:
        raise InputError(
            f"{store.run} has {table.count_rows()} categories; --again makes other ones, and keeps "
            "the names of those that stay"
        )
    count_sorted = _sort_waiting(editor)
    if count_sorted:
        editor.refresh_index()
    return count_sorted


def preview_categories(
    store: RunStore, count: int | Literal["auto"] = "auto", *, seed: int = 0
) -> ProposedCategories:
    """Return the categories that `sort_objects` would make with `again`; nothing is changed.

    They are of at most `MOST` objects.

    Raises:
        InputError: as `sort_objects` does.
    """
    _check(count, seed)
    table = store.find(schema.CATEGORIES)
    old = [] if table is None else table.to_arrow().to_pylist()
    used = sample_members(store, MOST)
    if (prototypes := read_prototypes(store)) is not None:
        before = np.where(used.categories < 0, prototypes.sort(used.vectors)[0], used.categories)
        used = replace(used, categories=before)
    rows = _make_rows(used, old, None if count == "auto" else count, seed)
    numbers, similarity = _to_prototypes(rows).sort(used.vectors)
    members = pa.table({"id": used.ids, "category": numbers, "similarity": similarity})
    kept = {row["id"] for row in rows}
    return ProposedCategories(
        categories=list_categories(rows, members),
        apart=int((numbers == NONE).sum()),
        moved=int(((used.categories >= 0) & (used.categories != numbers)).sum()),
        lost=[row["name"] for row in old if row["name"] and row["id"] not in kept],
    )


def _check(count: int | Literal["auto"] | None, seed: int) -> None:
    if isinstance(count, int) and count < 1:
        raise InputError(f"{count} categories cannot be made; ask for 1 or more, or for auto")
    if not 0 <= seed <= _LAST_SEED:
        raise InputError(f"seed {seed} cannot be used; give one from 0 to {_LAST_SEED}")


def _make_rows(
    used: Members, old: list[dict[str, Any]], count: int | None, seed: int
) -> list[dict[str, Any]]:
    """Rows of new categories; one that continues an earlier category has its number and name."""
    if len(used.ids) < max(2, count or 0):
        raise InputError(f"{len(used.ids)} objects cannot make {count or 'any'} categories")
    clusters = cluster(used.vectors, count, seed)
    labels, _ = clusters.assign(used.vectors)
    before = {row["id"]: row for row in old}
    goes_on = match_clusters(labels, np.where(used.categories > 0, used.categories, -1))
    # Numbers of categories that were merged away are not used again either: people remember them.
    last = max((json.loads(row["made_with"])["last"] for row in old), default=0)
    fresh = [place for place in range(len(clusters.prototypes)) if place not in goes_on]
    numbers = {place: last + 1 + at for at, place in enumerate(fresh)} | goes_on
    about = {"count": count or CRITERION, "seed": seed, "objects": len(used.ids)}
    made_with = json.dumps(about | {"last": last + len(fresh)}, sort_keys=True)
    new = []
    pairs = zip(clusters.prototypes, clusters.least, strict=True)
    for place, (prototype, least) in enumerate(pairs):
        same = before.get(numbers[place], {})
        new.append({
            "id": numbers[place],
            "name": same.get("name", ""),
            "rejected": same.get("rejected", False),
            "prototype": prototype.tolist(),
            "least": float(least),
            "made_with": made_with,
        })  # fmt: skip
    return new


def _sort_waiting(editor: Editor) -> int:
    """Sort the objects that have no category yet; their vectors are in memory a block at a time."""
    prototypes = read_prototypes(editor.store)
    if prototypes is None:
        return 0
    with reading(editor.store.run):
        waiting = stored_objects(editor.store).blocks(["id", "vector"], "category IS NULL")
        parts = [_sort(block, prototypes) for block in waiting]
    count = sum(int(part.num_rows) for part in parts)
    if count:
        # All in one step, for a kill.
        editor.merge_objects(pa.concat_tables(parts))
    return count


def _sort(block: pa.Table, prototypes: Prototypes) -> pa.Table:
    numbers, similarity = prototypes.sort(to_vectors(block))
    columns = {"id": block["id"], "category": numbers, "similarity": similarity}
    return pa.table(columns)

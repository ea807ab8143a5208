"""Making the categories of a run, and correcting them: sort, rename, merge and reject."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int64

from heap.base.errors import InputError
from heap.categories.cluster import CRITERION, Clusters, cluster, matched
from heap.categories.listing import NONE
from heap.categories.naming import checked
from heap.categories.titles import check_titles, title_of
from heap.store import schema
from heap.store.columns import read_rows, to_vectors, unit_vectors
from heap.store.editing import Editor
from heap.store.store import RunStore

_LAST_SEED = 2**32 - 1
"""Of scikit-learn."""


@dataclass(frozen=True)
class _Objects:
    """What sorting needs of all objects, in the order of their ids."""

    ids: list[str]
    vectors: Float32[np.ndarray, "object dim"]
    categories: Int64[np.ndarray, " object"]
    """-1: not sorted yet."""
    usable: Bool[np.ndarray, " object"]
    """Whether it was not rejected."""


def sort_objects(
    editor: Editor,
    count: int | Literal["auto"] | None = None,
    *,
    again: bool = False,
    seed: int = 0,
) -> int:
    """Give every object that has none its category; returns how many that were.

    Where there are no categories yet, or `again`, they are made: `count` of them, or as many as
    `CRITERION` finds. Made again, a category that shares its members with an earlier one keeps its
    number, its name and whether it is rejected. A kill leaves objects unsorted, which the next call
    sorts, by the categories of before if it makes new ones.

    Raises:
        InputError: if there are fewer than two objects, or too few for `count`, or if `count` is
            given where there are categories and not `again`, or is below 1, or `seed` is none.
    """
    if isinstance(count, int) and count < 1:
        raise InputError(f"{count} categories cannot be made; ask for 1 or more, or for auto")
    if not 0 <= seed <= _LAST_SEED:
        raise InputError(f"seed {seed} cannot be used; give one from 0 to {_LAST_SEED}")
    store = editor.store
    table = store.find(schema.CATEGORIES)
    objects = _read(store)
    if table is None or again:
        old = [] if table is None else table.to_arrow().to_pylist()
        # All have lost theirs where this was killed before; by what they are like they get it back.
        if old and _assign(editor, objects):
            objects = _read(store)
        found = _made(objects, old, None if count == "auto" else count, seed)
        editor.replace_categories(found)
        objects = _read(store)
    elif count is not None:
        raise InputError(
            f"{store.run} has {table.count_rows()} categories; --again makes other ones, and keeps "
            "the names of those that stay"
        )
    count_sorted = _assign(editor, objects)
    if count_sorted:
        editor.refresh_index()
    return count_sorted


def check(store: RunStore, merged: Iterable[int], others: Iterable[int]) -> None:
    """See that there are such categories, before anything is done to some of them.

    Those that are to be `merged` may have been already.

    Raises:
        InputError: if there is no such category.
    """
    _rows_of(store, merged, merged=True)
    _rows_of(store, others)


def rename(editor: Editor, names: Mapping[int, str]) -> None:
    """Name categories; an empty name takes the name away.

    Raises:
        InputError: if there is no such category, exports could not tell it from another one by
            its name, or a name cannot be one, see `heap.categories.naming`.
    """
    kept, wanted = _rows_of(editor.store, names), {at: checked(names[at]) for at in names}
    for row in kept:
        row["name"] = wanted.get(row["id"], row["name"])
    check_titles({row["id"]: title_of(row["id"], row["name"]) for row in kept}, wanted)
    editor.write_categories(kept)


def merge(editor: Editor, ids: Sequence[int]) -> int:
    """Make one of several categories: the first, with all members; returns its number.

    One that was merged before stands for what it is part of now, so that a merge can be repeated.

    Raises:
        InputError: if there is no such category, or fewer than two are given.
    """
    if len(set(ids)) < 2:
        raise InputError("merging takes at least two categories")
    kept = _rows_of(editor.store, ids, merged=True)
    part_of = _merged(kept)
    first, *others = dict.fromkeys(part_of.get(each, each) for each in ids)
    if not others:
        return first
    merged = [row for row in kept if row["id"] in (first, *others)]
    (target,) = (row for row in merged if row["id"] == first)
    objects = _read(editor.store)
    members = np.isin(objects.categories, (first, *others))
    middle = members & objects.usable if (members & objects.usable).any() else members
    if middle.any():
        used = unit_vectors(objects.vectors[middle])
        target["prototype"] = unit_vectors(used.mean(axis=0, keepdims=True))[0].tolist()
        similarity = unit_vectors(objects.vectors[members]) @ np.float32(target["prototype"])
        target["least"] = float(min(similarity.min(), *(row["least"] for row in merged)))
        target["name"] = target["name"] or next((row["name"] for row in merged if row["name"]), "")
        _write_assigned(editor, objects, np.flatnonzero(members), first, similarity)
    gone = {*others, *(old for old, now in part_of.items() if now in (first, *others))}
    about = json.loads(target["made_with"]) | {"merged": sorted(gone)}
    target["made_with"] = json.dumps(about, sort_keys=True)
    editor.write_categories([row for row in kept if row["id"] not in others])
    return first


def reject(editor: Editor, ids: Iterable[int], *, rejected: bool = True) -> None:
    """Say that categories are no objects, or that they are after all.

    Raises:
        InputError: if there is no such category.
    """
    chosen = set(ids)
    kept = _rows_of(editor.store, chosen)
    for row in kept:
        row["rejected"] = rejected if row["id"] in chosen else row["rejected"]
    editor.write_categories(kept)


def reject_objects(editor: Editor, ids: Sequence[str], *, rejected: bool = True) -> None:
    """Say that single objects are none, or that they are after all.

    Raises:
        InputError: if there is no such object.
    """
    known = set(read_rows(editor.store.table(schema.OBJECTS), ["id"])["id"].to_pylist())
    if unknown := [each for each in ids if each not in known]:
        raise InputError(f"{editor.store.run} has no object {unknown[0]!r}; its ids are KEY#NUMBER")
    if once := list(dict.fromkeys(ids)):
        flags = pa.array([rejected] * len(once), pa.bool_())
        editor.merge_objects(pa.table({"id": pa.array(once, pa.string()), "rejected": flags}))


def move_objects(editor: Editor, ids: Sequence[str], category: int) -> None:
    """Give objects another category; 0 puts them into none.

    Raises:
        InputError: if there is no such object or category.
    """
    kept = _rows_of(editor.store, [] if category == NONE else [category])
    objects = _read(editor.store)
    which = _places_of(editor.store, objects, ids)
    similarity = np.zeros(len(which), dtype=np.float32)
    for row in kept:
        if row["id"] == category:
            similarity = unit_vectors(objects.vectors[which]) @ np.float32(row["prototype"])
    _write_assigned(editor, objects, which, category, similarity)


def gather_objects(editor: Editor, ids: Sequence[str], name: str = "") -> int:
    """Make a new category of some objects; returns its number.

    Later objects are sorted into it as into the others. A kill in between leaves it empty.

    Raises:
        InputError: if there is no object, or no such object, or for a name that cannot be one, see
            `rename`.
    """
    objects = _read(editor.store)
    which = _places_of(editor.store, objects, ids)
    if not len(which):
        raise InputError("a category is made of at least one object")
    kept, wanted = _rows_of(editor.store, []), checked(name)
    number = 1 + max((json.loads(row["made_with"])["last"] for row in kept), default=0)
    titles = {row["id"]: title_of(row["id"], row["name"]) for row in kept}
    check_titles(titles | {number: title_of(number, wanted)}, [number])
    used = unit_vectors(objects.vectors[which])
    prototype = unit_vectors(used.mean(axis=0, keepdims=True))[0]
    similarity = used @ prototype
    # As in clustering: what is less alike than half of the median is kept apart.
    least = float(np.median(similarity)) / 2
    made_with = json.dumps({"objects": len(which), "last": number}, sort_keys=True)
    row = {
        "id": number, "name": wanted, "rejected": False, "prototype": prototype.tolist(),
        "least": least, "made_with": made_with,
    }  # fmt: skip
    for other in kept:
        # Whichever categories are merged away later, the number is not used again.
        other["made_with"] = json.dumps(json.loads(other["made_with"]) | {"last": number})
    editor.write_categories([*kept, row])
    _write_assigned(editor, objects, which, number, similarity)
    return number


def _places_of(
    store: RunStore, objects: _Objects, ids: Sequence[str]
) -> Int64[np.ndarray, " chosen"]:
    places = {name: place for place, name in enumerate(objects.ids)}
    if unknown := [name for name in ids if name not in places]:
        raise InputError(f"{store.run} has no object {unknown[0]!r}; its ids are KEY#NUMBER")
    return np.array([places[name] for name in dict.fromkeys(ids)], dtype=np.int64)


def _read(store: RunStore) -> _Objects:
    table = store.find(schema.OBJECTS)
    if table is None:
        raise InputError(f"{store.run} has no objects, so there is nothing to sort")
    found = read_rows(table, ["id", "vector", "category", "rejected"]).sort_by("id")
    return _Objects(
        found["id"].to_pylist(),
        to_vectors(found),
        found["category"].fill_null(-1).to_numpy(),
        ~found["rejected"].to_numpy(),
    )


def _made(
    objects: _Objects, old: list[dict[str, Any]], count: int | None, seed: int
) -> list[dict[str, Any]]:
    """The rows of new categories; those that go on an old one have its number and name."""
    used = objects.vectors[objects.usable]
    if len(used) < max(2, count or 0):
        raise InputError(f"{len(used)} objects cannot make {count or 'any'} categories")
    clusters = cluster(used, count, seed)
    labels, _ = clusters.assign(used)
    before = {row["id"]: row for row in old}
    earlier = np.where(objects.categories > 0, objects.categories, -1)[objects.usable]
    goes_on = matched(labels, earlier)
    # Numbers of categories that were merged away are not used again either.
    last = max((json.loads(row["made_with"])["last"] for row in old), default=0)
    fresh = [place for place in range(len(clusters.prototypes)) if place not in goes_on]
    numbers = {place: last + 1 + at for at, place in enumerate(fresh)} | goes_on
    about = {"count": count or CRITERION, "seed": seed, "objects": len(used)}
    made_with = json.dumps(about | {"last": last + len(fresh)}, sort_keys=True)
    found = []
    pairs = zip(clusters.prototypes, clusters.least, strict=True)
    for place, (prototype, least) in enumerate(pairs):
        same = before.get(numbers[place], {})
        found.append({
            "id": numbers[place],
            "name": same.get("name", ""),
            "rejected": same.get("rejected", False),
            "prototype": prototype.tolist(),
            "least": float(least),
            "made_with": made_with,
        })  # fmt: skip
    return found


def _assign(editor: Editor, objects: _Objects) -> int:
    waiting = np.flatnonzero(objects.categories < 0)
    if not len(waiting):
        return 0
    made = editor.store.table(schema.CATEGORIES).to_arrow().sort_by("id")
    prototypes = np.array(made["prototype"].to_pylist(), dtype=np.float32)
    clusters = Clusters(prototypes, made["least"].to_numpy())
    places, similarity = clusters.assign(objects.vectors[waiting])
    numbers = np.append(made["id"].to_numpy(), NONE)[places]
    _write_assigned(editor, objects, waiting, numbers, similarity)
    return len(waiting)


def _write_assigned(
    editor: Editor,
    objects: _Objects,
    which: Int64[np.ndarray, " chosen"],
    numbers: Int64[np.ndarray, " chosen"] | int,
    similarity: Float32[np.ndarray, " chosen"],
) -> None:
    columns = {
        "id": pa.array([objects.ids[place] for place in which], pa.string()),
        "category": pa.array(np.broadcast_to(numbers, len(which)), pa.int64()),
        "similarity": pa.array(similarity, pa.float32()),
    }
    editor.merge_objects(pa.table(columns))


def _rows_of(
    store: RunStore, wanted: Iterable[int], *, merged: bool = False
) -> list[dict[str, Any]]:
    """The rows of all categories; refuses those wanted that are not among them, or `merged`."""
    table = store.find(schema.CATEGORIES)
    kept: list[dict[str, Any]] = [] if table is None else table.to_arrow().to_pylist()
    known, part_of = {row["id"] for row in kept}, _merged(kept)
    if unknown := sorted(set(wanted) - known - (part_of.keys() if merged else set())):
        has = ", ".join(map(str, sorted(known))) or "none: run `heap categories` first"
        now = part_of.get(unknown[0])
        why = "" if now is None else f": it was merged, and is part of {now}"
        raise InputError(f"{store.run} has no category {unknown[0]}{why}; it has {has}")
    return kept


def _merged(kept: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """Categories that were merged away, with the ones that they are part of now."""
    return {
        number: row["id"]
        for row in kept
        for number in json.loads(row["made_with"]).get("merged", ())
    }

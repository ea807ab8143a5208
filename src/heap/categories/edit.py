"""Corrections of categories: sort, merge, rename and reject, alone or all in one step."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from heap.base.errors import InputError
from heap.categories.cluster import least_similarity
from heap.categories.listing import NONE, Category
from heap.categories.members import places_of, read_members, write_members
from heap.categories.sorting import sort_objects
from heap.categories.titles import check_name, check_titles, title_of
from heap.store import schema
from heap.store.columns import unit_vectors
from heap.store.database import reading
from heap.store.editing import Editor
from heap.store.store import RunStore


@dataclass(frozen=True)
class EditedCategories:
    """Categories of a run after `Run.edit_categories`."""

    categories: list[Category]
    apart: int
    """Objects that fit into no category, without rejected ones."""
    sorted: int
    """Objects that were given a category."""
    gallery: Path | None
    """Gallery that was written again; None where nothing has changed, or for a run at a URL."""


def edit_categories(
    editor: Editor,
    *,
    count: int | Literal["auto"] | None = None,
    again: bool = False,
    seed: int = 0,
    merged: Iterable[Sequence[int]] = (),
    names: Mapping[int, str] | None = None,
    rejected: Iterable[int] = (),
    restored: Iterable[int] = (),
    who: str = "",
) -> int:
    """Sort the objects, then correct their categories; returns how many objects were sorted.

    All is done, or nothing if any of it cannot be done, and is one entry of the history, by `who`.
    See `sort_objects`, `merge`, `rename` and `reject` for the other arguments.

    Raises:
        InputError: as these functions do.
    """
    groups, names = list(merged), dict(names or {})
    rejected, restored = list(rejected), list(restored)
    what = [
        say_sorted(again=again),
        *(say_merged(group) for group in groups),
        *(say_named(number, name) for number, name in names.items()),
        *([say_categories(rejected, rejected=True)] if rejected else []),
        *([say_categories(restored, rejected=False)] if restored else []),
    ]
    # Sorting is there in every call, and seldom does anything where something else is asked for.
    with editor.correct("; ".join(what[1:] if len(what) > 1 and not again else what), who):
        count_sorted = sort_objects(editor, count, again=again, seed=seed)
        _check_categories(editor.store, chain.from_iterable(groups), [*names, *rejected, *restored])
        # Merge first: what is merged away can neither be named nor rejected.
        for group in groups:
            merge(editor, group)
        if names:
            rename(editor, names)
        if rejected:
            reject(editor, rejected)
        if restored:
            reject(editor, restored, rejected=False)
    return count_sorted


def say_sorted(*, again: bool) -> str:
    """Say in the history that objects were sorted."""
    return "sorted the objects again" if again else "sorted the objects"


def say_merged(ids: Sequence[int]) -> str:
    """Say in the history that categories were merged."""
    return f"merged categories {', '.join(map(str, ids))}"


def say_named(number: int, name: str) -> str:
    """Say in the history that a category was named."""
    return f"named category {number} “{name}”" if name else f"took the name of category {number}"


def say_categories(ids: Sequence[int], *, rejected: bool) -> str:
    """Say in the history that categories were rejected or restored."""
    noun = "category" if len(ids) == 1 else "categories"
    return f"{'rejected' if rejected else 'restored'} {noun} {', '.join(map(str, ids))}"


def _check_categories(store: RunStore, merged: Iterable[int], others: Iterable[int]) -> None:
    """See that there are all these categories, before anything is done to some of them.

    Those in `merged` may have been merged away already.

    Raises:
        InputError: if there is no such category.
    """
    _rows_of(store, merged, merged=True)
    _rows_of(store, others)


def rename(editor: Editor, names: Mapping[int, str]) -> None:
    """Name categories; an empty name takes the name away.

    Raises:
        InputError: if there is no such category, exports could not tell it from another one by
            its name, or a name cannot be one, see `check_name`.
    """
    kept, wanted = _rows_of(editor.store, names), {at: check_name(names[at]) for at in names}
    for row in kept:
        row["name"] = wanted.get(row["id"], row["name"])
    check_titles({row["id"]: title_of(row["id"], row["name"]) for row in kept}, wanted)
    editor.write_categories(kept)


def merge(editor: Editor, ids: Sequence[int]) -> int:
    """Make one category of several: the first, with all members; returns its number.

    A category that was merged away before stands for the one that it is part of now, so that a
    merge can be repeated.

    Raises:
        InputError: if there is no such category, or fewer than two are given.
    """
    if len(set(ids)) < 2:
        raise InputError("merging takes at least two categories")
    kept = _rows_of(editor.store, ids, merged=True)
    part_of = _merged_into(kept)
    first, *others = dict.fromkeys(part_of.get(number, number) for number in ids)
    if not others:
        return first
    merged = [row for row in kept if row["id"] in (first, *others)]
    (target,) = (row for row in merged if row["id"] == first)
    target["name"] = target["name"] or next((row["name"] for row in merged if row["name"]), "")
    members = read_members(
        editor.store, f"category IN ({', '.join(str(row['id']) for row in merged)})"
    )
    if members.ids:
        unit = unit_vectors(members.vectors)
        # Rejected objects say nothing of what the category is like, unless it has no others.
        middle = unit[members.usable] if members.usable.any() else unit
        target["prototype"] = unit_vectors(middle.mean(axis=0, keepdims=True))[0].tolist()
        similarity = unit @ np.float32(target["prototype"])
        target["least"] = float(min(similarity.min(), *(row["least"] for row in merged)))
        write_members(editor, members, np.arange(len(members.ids)), first, similarity)
    gone = {*others, *(old for old, now in part_of.items() if now in (first, *others))}
    about = json.loads(target["made_with"]) | {"merged": sorted(gone)}
    target["made_with"] = json.dumps(about, sort_keys=True)
    editor.write_categories([row for row in kept if row["id"] not in others])
    return first


def reject(editor: Editor, ids: Iterable[int], *, rejected: bool = True) -> None:
    """Mark categories as no objects, or as objects after all.

    Raises:
        InputError: if there is no such category.
    """
    chosen = set(ids)
    kept = _rows_of(editor.store, chosen)
    for row in kept:
        row["rejected"] = rejected if row["id"] in chosen else row["rejected"]
    editor.write_categories(kept)


def reject_objects(editor: Editor, ids: Sequence[str], *, rejected: bool = True) -> None:
    """Mark single objects as no objects, or as objects after all.

    Raises:
        InputError: if there is no such object.
    """
    objects = editor.store.checked_objects()
    with reading(editor.store.run):
        known = set[str]() if objects is None else set(objects.read(["id"])["id"].to_pylist())
    if unknown := [name for name in ids if name not in known]:
        raise InputError(f"{editor.store.run} has no object {unknown[0]!r}; its ids are KEY#NUMBER")
    if once := list(dict.fromkeys(ids)):
        flags = pa.array([rejected] * len(once), pa.bool_())
        editor.merge_objects(pa.table({"id": pa.array(once, pa.string()), "rejected": flags}))


def review_objects(editor: Editor, ids: Sequence[str], *, rejected: bool) -> None:
    """Mark single objects as seen by a person, who accepts them as objects or rejects them.

    Raises:
        InputError: if there is no such object.
    """
    reject_objects(editor, ids, rejected=rejected)
    if once := list(dict.fromkeys(ids)):
        flags = pa.array([True] * len(once), pa.bool_())
        editor.merge_objects(pa.table({"id": pa.array(once, pa.string()), "reviewed": flags}))


def move_objects(editor: Editor, ids: Sequence[str], category: int) -> None:
    """Give objects another category; 0 means none.

    Raises:
        InputError: if there is no such object or category.
    """
    kept = _rows_of(editor.store, [] if category == NONE else [category])
    objects = read_members(editor.store)
    which = places_of(editor.store, objects, ids)
    similarity = np.zeros(len(which), dtype=np.float32)
    for row in kept:
        if row["id"] == category:
            similarity = unit_vectors(objects.vectors[which]) @ np.float32(row["prototype"])
    write_members(editor, objects, which, category, similarity)


def gather_objects(editor: Editor, ids: Sequence[str], name: str = "") -> int:
    """Make a new category of some objects; returns its number.

    Later objects are sorted into it as into the others. A kill in between leaves it without
    members.

    Raises:
        InputError: if there is no object, or no such object, or for a name that cannot be one, see
            `rename`.
    """
    objects = read_members(editor.store)
    which = places_of(editor.store, objects, ids)
    if not len(which):
        raise InputError("a category is made of at least one object")
    kept, wanted = _rows_of(editor.store, []), check_name(name)
    number = 1 + max((json.loads(row["made_with"])["last"] for row in kept), default=0)
    titles = {row["id"]: title_of(row["id"], row["name"]) for row in kept}
    check_titles(titles | {number: title_of(number, wanted)}, [number])
    used = unit_vectors(objects.vectors[which])
    prototype = unit_vectors(used.mean(axis=0, keepdims=True))[0]
    similarity = used @ prototype
    made_with = json.dumps({"objects": len(which), "last": number}, sort_keys=True)
    row = {
        "id": number, "name": wanted, "rejected": False, "prototype": prototype.tolist(),
        "least": least_similarity(similarity), "made_with": made_with,
    }  # fmt: skip
    for other in kept:
        # Whichever categories are merged away later, one row still says which numbers were used.
        other["made_with"] = json.dumps(json.loads(other["made_with"]) | {"last": number})
    editor.write_categories([*kept, row])
    write_members(editor, objects, which, number, similarity)
    return number


def _rows_of(
    store: RunStore, wanted: Iterable[int], *, merged: bool = False
) -> list[dict[str, Any]]:
    """Rows of all categories; raises InputError for a `wanted` one that there is not.

    With `merged`, those that were merged away may be wanted too.
    """
    table = store.find(schema.CATEGORIES)
    kept: list[dict[str, Any]] = [] if table is None else table.to_arrow().to_pylist()
    known, part_of = {row["id"] for row in kept}, _merged_into(kept)
    if unknown := sorted(set(wanted) - known - (part_of.keys() if merged else set())):
        has = ", ".join(map(str, sorted(known))) or "none: run `heap categories` first"
        now = part_of.get(unknown[0])
        why = "" if now is None else f": it was merged, and is part of {now}"
        raise InputError(f"{store.run} has no category {unknown[0]}{why}; it has {has}")
    return kept


def _merged_into(kept: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """Categories that were merged away, with the ones that they are part of now."""
    return {
        number: row["id"]
        for row in kept
        for number in json.loads(row["made_with"]).get("merged", ())
    }

"""Masks that a person corrects: replaced, added where an object was missed, or split into parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float32

from heap.base.errors import HeapError, InputError
from heap.categories.listing import NONE
from heap.categories.parts import (
    Mask,
    connected_parts,
    mask_of,
    overlaps,
    parts_by_region,
    shape_cells,
)
from heap.categories.sorting import read_prototypes
from heap.store import schema
from heap.store.columns import embedding_dim
from heap.store.database import reading
from heap.store.editing import Editor
from heap.store.records import Finished
from heap.store.redrawing import Rows, read_objects

Box = tuple[float, float, float, float]
"""Xyxy, in pixels of the upright original."""
Embed = Callable[[str, Sequence[Box]], Float32[np.ndarray, "box dim"]]
"""Function from the key of an image and boxes in it to their embeddings; a `HeapError` where the
model or the photo is not at hand."""

BY_PARTS, BY_REGIONS = "parts", "regions"
"""Ways to split an object without masks: where it is not connected, and along regions."""
_CERTAIN = 1.0
"""Score of an object that a person has added."""
_MOST = 64
"""Parts that an object can be split into."""


@dataclass(frozen=True)
class MaskEdits:
    """Masks to be corrected, in the forms of `heap.categories.parts.mask_of`."""

    replaced: Mapping[str, Any] = field(default_factory=dict)
    """Masks by the ids of the objects that get them."""
    added: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Masks of objects that were missed, by the keys of their images."""
    split: Mapping[str, Any] = field(default_factory=dict)
    """Masks of the parts of objects, by the ids of these; or `BY_PARTS` or `BY_REGIONS`."""

    @property
    def keys(self) -> list[str]:
        """Keys of the images, in order."""
        owners = (id.rpartition("#")[0] for id in chain(self.replaced, self.split))
        return sorted({*owners, *(key for key, masks in self.added.items() if len(masks))})

    @property
    def what(self) -> str:
        """The correction in words, for the history."""
        added = sum(map(len, self.added.values()))
        said = [("corrected the mask of", self.replaced), ("split", self.split)]
        parts = [f"{did} {_objects(list(ids))}" for did, ids in said if ids]
        if added:
            places = _listed([key for key, masks in self.added.items() if len(masks)])
            parts.append(f"added {'an object' if added == 1 else f'{added} objects'} in {places}")
        return "; ".join(parts)


@dataclass(frozen=True)
class EditedMasks:
    """Objects of a run after `Run.edit_masks`."""

    ids: tuple[str, ...]
    """Objects whose masks are others now, and those that are new."""
    outdated: tuple[str, ...]
    """Those of them whose embedding could not be made again: of an object that was there it is that
    of its earlier mask, and a new one is not found by searches, until `heap discover` is repeated
    with the same images."""
    reason: str
    """Reason why not; empty if none is outdated."""


def edit_masks(editor: Editor, edits: MaskEdits, embed: Embed, who: str = "") -> EditedMasks:
    """Correct masks; all is done, or nothing, and is one entry of the history, by `who`.

    Box, region and embedding follow from a mask. Category and score of an object stay; its parts
    have them too. An object that is added has score 1, and its category by its embedding, if there
    are categories. All of them count as reviewed, and as drawn by a person.

    Raises:
        InputError: if there is no such object or image, or a mask cannot be used.
        StoreError: if the store is damaged or cannot be written.
    """
    keys = edits.keys
    if not keys:
        raise InputError("there is no mask to correct; give some to replace, to add or to split")
    changed = {key: _redrawn(editor, key, edits) for key in keys}
    reasons = [_embed(editor, key, rows, embed) for key, rows in changed.items()]
    with editor.correct(edits.what, who, redrawn=keys):
        for key, rows in changed.items():
            editor.redraw(key, rows)
    rows = list(chain.from_iterable(changed.values()))
    return EditedMasks(
        tuple(row["id"] for row in rows),
        tuple(row["id"] for row in rows if row["outdated"]),
        next(filter(None, reasons), ""),
    )


def _redrawn(editor: Editor, key: str, edits: MaskEdits) -> list[dict[str, Any]]:
    """Rows of the objects of an image that are others, or new, without their embeddings."""
    record, before = _read_image(editor, key)
    result, size = record.result, (record.result.width, record.result.height)
    rows, count = list[dict[str, Any]](), len(result.objects)

    def put(row: Mapping[str, Any], mask: Mask) -> None:
        marks = {"drawn": True, "reviewed": True, "outdated": True}
        rows.append({**row, **shape_cells(mask, result), **marks})

    def put_new(row: Mapping[str, Any], mask: Mask) -> None:
        nonlocal count
        put({**row, "id": f"{key}#{count}", "key": key, "index": count}, mask)
        count += 1

    for id in (id for id in (*edits.replaced, *edits.split) if id.rpartition("#")[0] == key):
        if id not in before:
            raise InputError(f"{editor.store.run} has no object {id!r}; its ids are KEY#NUMBER")
        if id in edits.replaced and id in edits.split:
            raise InputError(f"{id!r} cannot both get a mask and be split; do one of the two")
    for id, value in edits.replaced.items():
        if id in before:
            put(before[id], mask_of(value, size, id))
    for id, value in edits.split.items():
        if id in before:
            first, *others = _parts_of(id, value, record)
            put(before[id], first)
            for part in others:
                put_new(before[id], part)
    fresh = {
        "score": _CERTAIN, "vector": None, "category": None, "similarity": None, "rejected": False
    }  # fmt: skip
    for value in edits.added.get(key, ()):
        put_new(fresh, mask_of(value, size, f"a new object in {key!r}"))
    return rows


def _read_image(editor: Editor, key: str) -> tuple[Finished, Rows]:
    store = editor.store
    record = next(store.records([key]), None)
    if record is None:
        raise InputError(
            f"{store.run} has no image {key!r}, or what is stored of it is damaged; images are "
            "called as `heap inspect` lists them, objects KEY#NUMBER"
        )
    with reading(store.run):
        return record, read_objects(store.database, [key])


def _parts_of(id: str, value: Any, record: Finished) -> list[Mask]:
    result = record.result
    if isinstance(value, str):
        whole = result.objects.masks[int(id.rpartition("#")[2])].decode()
        if value not in (BY_PARTS, BY_REGIONS):
            raise InputError(
                f"{id!r} cannot be split by {value!r}; give masks, {BY_PARTS!r} or {BY_REGIONS!r}"
            )
        by_parts = value == BY_PARTS
        parts = connected_parts(whole) if by_parts else parts_by_region(whole, result)
        if len(parts) < 2:
            where = "is connected" if by_parts else "lies in one region"
            raise InputError(f"{id!r} {where}, so it cannot be split by {value}; give masks")
    else:
        size = (result.width, result.height)
        parts = [mask_of(part, size, f"a part of {id}") for part in value]
        if len(parts) < 2:
            raise InputError(f"{id!r} is split into at least two parts; give their masks")
    if len(parts) > _MOST:
        raise InputError(f"{id!r} would have {len(parts)} parts; {_MOST} are the most")
    if overlaps(parts):
        raise InputError(f"the parts of {id!r} overlap; every pixel belongs to one of them")
    return parts


def _embed(editor: Editor, key: str, rows: list[dict[str, Any]], embed: Embed) -> str:
    """Set the embeddings of rows, and what follows from them; returns why that cannot be done."""
    stored = editor.store.find(schema.OBJECTS)
    try:
        vectors = embed(key, [(row["x1"], row["y1"], row["x2"], row["y2"]) for row in rows])
    except HeapError as error:
        if stored is None:
            raise InputError(
                f"{editor.store.run} has no objects yet, so that its model is needed for the first "
                f"one, and cannot be used: {error}"
            ) from error
        for row in rows:
            # A new object is like nothing until it is embedded.
            row["vector"] = row["vector"] or [0.0] * embedding_dim(stored)
        return str(error)
    prototypes = read_prototypes(editor.store)
    for row, vector in zip(rows, vectors, strict=True):
        row.update(vector=vector.tolist(), outdated=False)
        if prototypes is not None and row["category"] is None:
            (number,), (similarity,) = prototypes.sort(vector[None])
            row.update(category=int(number), similarity=float(similarity))
        elif prototypes is not None and row["category"] != NONE:
            row["similarity"] = prototypes.similarity(vector, row["category"])
    return ""


def _objects(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{len(ids)} objects"


def _listed(keys: Sequence[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{len(keys)} images"

"""Routes of masks: those of an image to be corrected in a browser, and their correction.

In a browser masks have the size at which a photo is shown, `PHOTO_SIDE` at most. Where a mask that
comes back is as it was, the pixels of the original stay as they were, too.
"""

from collections.abc import Sequence

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Response
from jaxtyping import Bool

from heap.base.errors import InputError
from heap.categories.drawing import EditedMasks, MaskEdits, edit_masks
from heap.categories.parts import Mask, connected_parts, from_counts, to_counts
from heap.masks.scaling import fit_size, scale_mask, smooth_labels
from heap.results import ImageResult
from heap.serving.answers import MaskCorrection, PlainMask, Redrawn, Shapes
from heap.serving.browsing import Served, categories, known_image
from heap.serving.correcting import writable
from heap.serving.pictures import PHOTO_SIDE
from heap.serving.sending import Send
from heap.serving.served import ServedRun
from heap.serving.wording import without_folders

router = APIRouter(prefix="/api", tags=["masks"])

Shown = Bool[np.ndarray, "shown_height shown_width"]
"""Mask at the size at which it is shown."""
_MASKS_BYTES = 16 * 2**20
"""Most bytes of a correction: run lengths of many masks with ragged edges are long."""
_FEWEST = 1 / 2000
"""Share of the image below which a piece of a region is nothing to click on."""


@router.get("/masks", response_model=Shapes)
def masks(served: Served, send: Send, key: str) -> Response:
    """The masks of the objects of an image, and the pieces of its regions, to be corrected."""
    now = served.recent()
    row = known_image(now, key)
    return send.send(
        row["checksum"],
        "application/json",
        lambda: _shapes(now.record(key).result).model_dump_json().encode(),
    )


def _shapes(result: ImageResult) -> Shapes:
    size = fit_size((result.width, result.height), PHOTO_SIDE)
    regions = smooth_labels(result.regions.label_map, size)
    pieces = [
        piece
        for region in np.unique(regions)
        for piece in connected_parts(regions == region)
        if piece.sum() >= _FEWEST * piece.size
    ]
    return Shapes(
        size=(size[1], size[0]),
        masks=[to_counts(scale_mask(mask.decode(), size)) for mask in result.objects.masks],
        regions=list(map(to_counts, pieces)),
    )


@router.post(
    "/objects/masks", dependencies=[Depends(writable)], max_body_size=_MASKS_BYTES
)  # fmt: skip
async def redraw(served: Served, wanted: MaskCorrection) -> Redrawn:
    """Correct masks of the objects of an image: replace, add or split them."""
    return await served.correcting.take(_redraw, served, wanted)


def _redraw(served: ServedRun, wanted: MaskCorrection) -> Redrawn:
    known_image(served.now(), wanted.key)
    for id in (*wanted.replaced, *wanted.split):
        if id.rpartition("#")[0] != wanted.key:
            raise InputError(f"{id!r} is no object of {wanted.key!r}; correct an image at a time")
    with served.editing(wanted.version) as editor:
        record = next(editor.store.records([wanted.key]), None)
        if record is None:
            raise HTTPException(404, f"what is stored of {wanted.key!r} is damaged")
        edits = _at_full_size(record.result, wanted)
        edited = edit_masks(editor, edits, served.embed, wanted.who)
        return _answer(served, edits, edited)


def _answer(served: ServedRun, edits: MaskEdits, edited: EditedMasks) -> Redrawn:
    return Redrawn(
        version=served.version,
        what=edits.what,
        categories=categories(served),
        ids=list(edited.ids),
        outdated=len(edited.outdated),
        reason=without_folders(edited.reason, served.run),
    )


def _at_full_size(result: ImageResult, wanted: MaskCorrection) -> MaskEdits:
    """Masks of a correction at the size of the original."""
    size = (result.width, result.height)
    before = {f"{result.key}#{at}": mask for at, mask in enumerate(result.objects.masks)}

    def old(id: str) -> Mask:
        # What is not there is refused later, with all that else is wrong.
        return before[id].decode() if id in before else np.zeros(size[::-1], dtype=bool)

    return MaskEdits(
        replaced={
            id: _enlarged(_decoded(mask), old(id), size) for id, mask in wanted.replaced.items()
        },
        added={wanted.key: [scale_mask(_decoded(mask), size) for mask in wanted.added]},
        split={
            id: _enlarged_parts([_decoded(part) for part in parts], old(id), size)
            for id, parts in wanted.split.items()
        },
    )


def _enlarged(mask: Shown, old: Mask, size: tuple[int, int]) -> Mask:
    """Mask at full size, with the edges of the old one where it was not changed.

    An empty one stays empty.
    """
    if mask.shape == old.shape or not mask.any():
        return np.resize(mask, old.shape)
    shown = (mask.shape[1], mask.shape[0])
    changed = scale_mask(mask ^ scale_mask(old, shown), size)
    return np.where(changed, scale_mask(mask, size), old)


def _enlarged_parts(parts: Sequence[np.ndarray], old: Mask, size: tuple[int, int]) -> list[Mask]:
    """Parts at full size; a pixel at their borders belongs to the first that covers it."""
    if len({part.shape for part in parts}) > 1:
        raise HTTPException(422, "the masks of the parts of an object have one size")
    whole = _enlarged(np.any(parts, axis=0), old, size) if parts else old
    left, enlarged = whole.copy(), list[Mask]()
    for part in parts:
        enlarged.append(scale_mask(part, size) & left)
        left &= ~enlarged[-1]
    if enlarged:
        enlarged[0] |= left
    return enlarged


def _decoded(mask: PlainMask) -> Shown:
    height, width = mask.size
    if max(height, width) > PHOTO_SIDE:
        raise HTTPException(422, f"a mask has no side over {PHOTO_SIDE} pixels here")
    try:
        return from_counts(mask.counts, (height, width))
    except ValueError as error:
        raise HTTPException(422, str(error)) from None

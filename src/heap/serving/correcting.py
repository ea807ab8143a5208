"""Routes to correct a run: categories, and rejected objects; every change is stored at once."""

from collections.abc import Callable, Sequence

from fastapi import APIRouter, Depends, HTTPException

from heap.categories import edit
from heap.categories.sorting import sort_objects
from heap.serving.answers import (
    CategoryRejection,
    Corrected,
    Correction,
    Merging,
    Move,
    NewName,
    ObjectRejection,
    Review,
    Sorting,
    Travel,
)
from heap.serving.browsing import Served, categories
from heap.serving.served import ServedRun
from heap.store.editing import Editor
from heap.store.history import Entry


async def writable(served: Served) -> None:
    """Refuse changes with status 403 where the run is only served to be looked at."""
    if served.read_only:
        raise HTTPException(403, "this run is served to be looked at; start it without --read-only")


router = APIRouter(prefix="/api", tags=["correct"], dependencies=[Depends(writable)])


@router.post("/categories/sort")
async def sort(served: Served, wanted: Sorting) -> Corrected:
    """Make the categories, or give new objects their category."""
    return await _correct(
        served,
        wanted,
        edit.say_sorted(again=wanted.again),
        lambda editor: sort_objects(editor, wanted.count, again=wanted.again),
    )


@router.post("/categories/merge")
async def merge(served: Served, wanted: Merging) -> Corrected:
    """Make one category of several: the first, with all members."""
    return await _correct(
        served, wanted, edit.say_merged(wanted.ids), lambda editor: edit.merge(editor, wanted.ids)
    )


@router.post("/categories/rejected")
async def reject(served: Served, wanted: CategoryRejection) -> Corrected:
    """Mark the members of categories as no objects, or as objects after all."""
    return await _correct(
        served,
        wanted,
        edit.say_categories(wanted.ids, rejected=wanted.rejected),
        lambda editor: edit.reject(editor, wanted.ids, rejected=wanted.rejected),
    )


@router.post("/categories/{category}/name")
async def rename(served: Served, category: int, wanted: NewName) -> Corrected:
    """Name a category."""
    return await _correct(
        served,
        wanted,
        edit.say_named(category, wanted.name),
        lambda editor: edit.rename(editor, {category: wanted.name}),
    )


@router.post("/objects/rejected")
async def reject_objects(served: Served, wanted: ObjectRejection) -> Corrected:
    """Mark single objects as no objects, or as objects after all."""
    return await _correct(
        served,
        wanted,
        f"{'rejected' if wanted.rejected else 'restored'} {_objects(wanted.ids)}",
        lambda editor: edit.reject_objects(editor, wanted.ids, rejected=wanted.rejected),
    )


@router.post("/objects/category")
async def move(served: Served, wanted: Move) -> Corrected:
    """Give objects another category, or make a new one of them."""
    if wanted.category is None:
        called = f" “{wanted.name}”" if wanted.name else ""
        what = f"made a new category{called} of {_objects(wanted.ids)}"
    else:
        place = f"to category {wanted.category}" if wanted.category else "out of its category"
        what = f"moved {_objects(wanted.ids)} {place}"
    return await _correct(served, wanted, what, lambda editor: _move(editor, wanted))


@router.post("/objects/reviewed")
async def review(served: Served, wanted: Review) -> Corrected:
    """Accept objects, in their category or another one, or reject them; both are a review."""
    moved = wanted.category is not None or bool(wanted.name)
    if wanted.rejected and moved:
        raise HTTPException(422, "what is rejected gets no category: leave out one of the two")
    place = f" in category {wanted.name or wanted.category}" if moved else ""
    what = f"{'rejected' if wanted.rejected else 'accepted'} {_objects(wanted.ids)}{place}"

    def change(editor: Editor) -> None:
        if moved:
            _move(editor, wanted)
        edit.review_objects(editor, wanted.ids, rejected=wanted.rejected)

    return await _correct(served, wanted, what, change)


def _move(editor: Editor, wanted: Move | Review) -> None:
    if wanted.category is None:
        edit.gather_objects(editor, wanted.ids, wanted.name)
    else:
        edit.move_objects(editor, wanted.ids, wanted.category)


@router.post("/history/undo")
async def undo(served: Served, wanted: Travel) -> Corrected:
    """Take back the last corrections that stand."""
    return await served.correcting.take(_travelled, served, wanted, Editor.undo)


@router.post("/history/redo")
async def redo(served: Served, wanted: Travel) -> Corrected:
    """Make again the corrections that were taken back last."""
    return await served.correcting.take(_travelled, served, wanted, Editor.redo)


async def _correct(
    served: ServedRun, wanted: Correction, what: str, change: Callable[[Editor], object]
) -> Corrected:
    return await served.correcting.take(_corrected, served, wanted, what, change)


def _corrected(
    served: ServedRun, wanted: Correction, what: str, change: Callable[[Editor], object]
) -> Corrected:
    with served.editing(wanted.version) as editor:
        with editor.correct(what, wanted.who):
            change(editor)
        return Corrected(version=served.version, what=what, categories=categories(served))


def _travelled(served: ServedRun, wanted: Travel, travel: Callable[[Editor], Entry]) -> Corrected:
    with served.editing(wanted.version) as editor:
        for _ in range(wanted.steps):
            what = travel(editor).what
        return Corrected(version=served.version, what=what, categories=categories(served))


def _objects(ids: Sequence[str]) -> str:
    return "an object" if len(ids) == 1 else f"{len(ids)} objects"

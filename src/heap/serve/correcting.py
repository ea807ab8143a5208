"""What a person changes: categories and what is no object. All of it is in the store at once."""

from fastapi import APIRouter, Depends, HTTPException

from heap.collection import curation
from heap.serve.answers import (
    CategoryAnswer,
    Merging,
    NewName,
    ObjectRejection,
    Rejection,
    Sorting,
)
from heap.serve.browsing import Served, categories


def writable(served: Served) -> None:
    """Refuse changes to a run that is only to be looked at."""
    if served.read_only:
        raise HTTPException(403, "this run is served to be looked at; start it without --read-only")


router = APIRouter(prefix="/api", tags=["correct"], dependencies=[Depends(writable)])


@router.post("/categories/sort")
def sort(served: Served, wanted: Sorting) -> list[CategoryAnswer]:
    """Make the categories, or give new objects theirs."""
    with served.editing() as editor:
        curation.sort_objects(editor, wanted.count, again=wanted.again)
    return categories(served)


@router.post("/categories/merge")
def merge(served: Served, wanted: Merging) -> list[CategoryAnswer]:
    """Make one category of several: the first, with all members."""
    with served.editing() as editor:
        curation.merge(editor, wanted.ids)
    return categories(served)


@router.post("/categories/{category}/name")
def rename(served: Served, category: int, wanted: NewName) -> list[CategoryAnswer]:
    """Name a category."""
    with served.editing() as editor:
        curation.rename(editor, {category: wanted.name})
    return categories(served)


@router.post("/categories/{category}/rejected")
def reject(served: Served, category: int, wanted: Rejection) -> list[CategoryAnswer]:
    """Say that the members of a category are no objects, or that they are after all."""
    with served.editing() as editor:
        curation.reject(editor, [category], rejected=wanted.rejected)
    return categories(served)


@router.post("/objects/rejected", status_code=204)
def reject_objects(served: Served, wanted: ObjectRejection) -> None:
    """Say that objects are none, or that they are after all."""
    with served.editing() as editor:
        curation.reject_objects(editor, wanted.ids, rejected=wanted.rejected)

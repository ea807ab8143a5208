"""What can be read of a run: itself, its categories, images and objects."""

from typing import Annotated, Any, Literal, cast

import numpy as np
import pyarrow.compute as pc
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from jaxtyping import Int64

from heap.report.outlines import canvas_of
from heap.serve.answers import (
    CategoryAnswer,
    FailureAnswer,
    ImageAnswer,
    ImageDetail,
    ImageKind,
    ImagePage,
    ObjectAnswer,
    ObjectPage,
    RunAnswer,
    ShapeAnswer,
)
from heap.serve.drawing import outlines
from heap.serve.served import ServedRun
from heap.serve.snapshot import Snapshot
from heap.serve.wording import name_of, without_folders
from heap.store.database import reading

router = APIRouter(prefix="/api", tags=["browse"])

MOST = 500
"""Entries of a page of a list."""
Offset = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Kind = Literal["all"] | ImageKind
ImageOrder = Literal["name", "score", "-score", "objects", "-objects"]
ObjectOrder = Literal["similarity", "-similarity", "score", "-score", "name"]


async def served_run(request: Request) -> ServedRun:
    """The run that the application serves."""
    served: ServedRun = request.app.state.served
    return served


Served = Annotated[ServedRun, Depends(served_run)]


def known_image(now: Snapshot, key: str) -> dict[str, Any]:
    """The row of an image that could be read; status 404 for any other."""
    row = now.image(key)
    if row is None or row["status"] == "failed":
        raise HTTPException(404, f"this run has no image {key!r}")
    return row


@router.get("/run")
def run(served: Served) -> RunAnswer:
    """The run as a whole: counts, encoder, and whether it has changed."""
    now, store = served.now(), served.collection.store
    accepted, categories = now.accepted, now.categories
    encoder = str(store.config.get("model", {}).get("features", {}).get("encoder", ""))
    return RunAnswer(
        name=name_of(served.run),
        encoder=without_folders(encoder, served.run),
        images=int((now.kinds != "failed").sum()),
        empty=int((now.kinds == "none").sum()),
        failed=int((now.kinds == "failed").sum()),
        low=int((now.kinds == "low").sum()),
        objects=int(accepted.sum()),
        rejected=int((~accepted).sum()),
        unsorted=int((accepted & (categories < 0)).sum()),
        apart=int((accepted & (categories == 0)).sum()),
        read_only=served.read_only,
        searchable=served.searchable,
        version=served.version,
    )


@router.get("/categories")
def categories(served: Served) -> list[CategoryAnswer]:
    """The categories by number; none before the objects were sorted."""
    with reading(served.run):
        found = served.collection.categories
    return [
        CategoryAnswer(
            id=each.id,
            name=each.name,
            title=each.title,
            rejected=each.rejected,
            size=each.size,
            coherence=each.coherence if each.size else None,
            typical=list(each.typical),
        )
        for each in found
    ]


@router.get("/objects")
def objects(
    served: Served,
    category: Annotated[int | None, Query(description="0: of no category; -1: not sorted")] = None,
    rejected: bool = False,
    min_score: Annotated[float, Query(ge=0, le=1)] = 0.0,
    order: ObjectOrder = "similarity",
    offset: Offset = 0,
    limit: Limit = 60,
) -> ObjectPage:
    """Objects of one category or of all: those that nobody has rejected, or the others."""
    now = served.now()
    chosen = (now.accepted != rejected) & (now.scores >= min_score)
    if category is not None:
        chosen &= now.categories == category
    places = _ordered_objects(now, np.flatnonzero(chosen), order)
    page = now.objects.take(places[offset : offset + limit]).to_pylist()
    return ObjectPage(total=len(places), objects=[ObjectAnswer.of(row) for row in page])


@router.get("/images")
def images(
    served: Served,
    kind: Kind = "all",
    words: Annotated[str, Query(description="All of them are in the name")] = "",
    order: ImageOrder = "name",
    offset: Offset = 0,
    limit: Limit = 60,
) -> ImagePage:
    """Images that were worked on to the end."""
    now = served.now()
    chosen = now.kinds != "failed" if kind == "all" else now.kinds == kind
    for word in words.lower().split():
        names = pc.utf8_lower(now.images["key"])
        chosen = chosen & np.asarray(pc.match_substring(names, word), dtype=bool)
    places = _ordered_images(now, np.flatnonzero(chosen), order)
    page = [_image(now, int(at)) for at in places[offset : offset + limit]]
    return ImagePage(total=len(places), images=page)


@router.get("/image")
def image(served: Served, key: str) -> ImageDetail:
    """An image and all that was found in it."""
    now = served.now()
    known_image(now, key)
    record = now.record(key)
    canvas = canvas_of((record.result.width, record.result.height))
    paths = outlines(record.result.objects, canvas)
    rows = [ObjectAnswer.of(row) for row in now.objects_of(key)]
    return ImageDetail(
        image=_image(now, now.place_of(key)),
        canvas=canvas,
        shapes=[ShapeAnswer(path=path, object=row) for path, row in zip(paths, rows, strict=True)],
    )


@router.get("/failures")
def failures(served: Served) -> list[FailureAnswer]:
    """Images that could not be worked on, and why."""
    return [
        FailureAnswer(
            key=row["key"], stage=row["stage"], reason=without_folders(row["reason"], served.run)
        )
        for row in served.now().images.select(["key", "status", "stage", "reason"]).to_pylist()
        if row["status"] == "failed"
    ]


def _image(now: Snapshot, at: int) -> ImageAnswer:
    (row,) = now.images.slice(at, 1).to_pylist()
    return ImageAnswer(
        key=row["key"],
        width=row["width"],
        height=row["height"],
        objects=int(now.counts[at]),
        best=float(now.best[at]),
        kind=cast(ImageKind, str(now.kinds[at])),
        note=row["note"] or "",
    )


def _ordered_objects(
    now: Snapshot, places: Int64[np.ndarray, " chosen"], order: ObjectOrder
) -> Int64[np.ndarray, " chosen"]:
    if order == "name":
        return places
    column = now.objects[order.removeprefix("-")].fill_null(-1).to_numpy()[places]
    return places[np.argsort(column if order.startswith("-") else -column, kind="stable")]


def _ordered_images(
    now: Snapshot, places: Int64[np.ndarray, " chosen"], order: ImageOrder
) -> Int64[np.ndarray, " chosen"]:
    if order == "name":
        return places
    column = (now.best if order.endswith("score") else now.counts)[places]
    return places[np.argsort(column if order.startswith("-") else -column, kind="stable")]

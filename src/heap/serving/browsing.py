"""Routes to read a run: itself, its categories, images and objects."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from heap.serving.answers import CategoryAnswer, EntryAnswer, PreviewAnswer
from heap.serving.sending import Send
from heap.serving.served import ServedRun
from heap.serving.wording import run_name, without_folders
from heap.store.database import reading
from heap.view.contents import (
    About,
    Contents,
    Outlines,
    collect_contents,
    describe_run,
    trace_outlines,
)
from heap.view.snapshot import Snapshot

router = APIRouter(prefix="/api", tags=["browse"])
MOST_CATEGORIES = 1000
"""Most categories that can be asked for in the browser."""


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
def run(served: Served) -> About:
    """The run as a whole: counts, encoder, and whether it has changed."""
    return _about(served, served.now())


@router.get("/contents", response_model=Contents)
def everything(served: Served) -> Response:
    """The run with its categories, images and objects, as columns; not pictures and outlines."""
    now = served.now()
    body = collect_contents(now, _about(served, now))
    for failure in body.failures:
        failure.reason = without_folders(failure.reason, served.run)
    return Response(body.model_dump_json(), media_type="application/json")


@router.get("/categories")
def categories(served: Served) -> list[CategoryAnswer]:
    """The categories by number; none before the objects were sorted."""
    with reading(served.run):
        listed = served.collection.categories
    return list(map(CategoryAnswer.from_category, listed))


@router.get("/categories/preview")
async def preview(
    served: Served, count: Annotated[int | None, Query(ge=1, le=MOST_CATEGORIES)] = None
) -> PreviewAnswer:
    """The categories that `POST /api/categories/sort` would make `again`; nothing is changed.

    Without a `count` as many as fit best. The first answer takes seconds where there are many
    objects.
    """
    return await served.looking.take(_preview, served, count)


def _preview(served: ServedRun, count: int | None) -> PreviewAnswer:
    proposed = served.collection.preview_categories(count or "auto")
    return PreviewAnswer(
        categories=list(map(CategoryAnswer.from_category, proposed.categories)),
        apart=proposed.apart,
        moved=proposed.moved,
        lost=proposed.lost,
    )


@router.get("/history")
def history(served: Served) -> list[EntryAnswer]:
    """The corrections that were made, oldest first; those that were taken back are the last."""
    return [EntryAnswer(**asdict(entry)) for entry in served.collection.history]


@router.get("/outlines", response_model=Outlines)
def image_outlines(served: Served, send: Send, key: str) -> Response:
    """The outlines of the objects of an image."""
    now = served.recent()
    row = known_image(now, key)
    return send.send(
        row["checksum"],
        "application/json",
        lambda: trace_outlines(now.record(key).result).model_dump_json().encode(),
    )


def _about(served: ServedRun, now: Snapshot) -> About:
    features = served.collection.store.config.get("model", {}).get("features", {})
    encoder = without_folders(str(features.get("encoder", "")), served.run)
    changing = {
        "read_only": served.read_only,
        "is_one_of_several": served.is_one_of_several,
        "searchable": served.searchable,
        "version": "-".join(map(str, now.versions)),
    }
    return describe_run(now, run_name(served.run), encoder).model_copy(update=changing)

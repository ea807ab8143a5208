"""What is like an object, a box, or an image that somebody brings."""

from base64 import b64encode
from typing import Annotated

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool

from heap.collection.search import nearest
from heap.errors import ImageError
from heap.images import Picture
from heap.images.decode import Limits, decode_bytes
from heap.report.outlines import canvas_of, region_map
from heap.serve.answers import Box, Discovered, ObjectAnswer, ShapeAnswer
from heap.serve.browsing import Served, known_image
from heap.serve.drawing import outlines
from heap.serve.photos import read_again
from heap.serve.served import ServedRun

router = APIRouter(prefix="/api", tags=["search"])

UPLOAD = Limits(byte_count=64 * 2**20, pixels=50_000_000)
"""What is accepted of an image that somebody brings."""
Count = Annotated[int, Query(ge=1, le=500)]
Where = Annotated[
    str | None,
    Query(description="A condition in SQL, such as score > 0.5 AND category = 3", max_length=2000),
]
Corners = Annotated[
    str | None, Query(alias="box", description="x1,y1,x2,y2 in pixels of the upright original")
]
NEW = "dropped image"
"""Stands for the name of an image that is not of the run."""


@router.get("/nearest/object")
def nearest_to_object(
    served: Served, id: str, where: Where = None, count: Count = 24
) -> list[ObjectAnswer]:
    """The objects most like an object of the run, most alike first."""
    if served.now().object(id) is None:
        raise HTTPException(404, f"{served.run} has no object {id!r}")
    found = served.collection.search(object_id=id, where=where, count=count)
    return list(map(ObjectAnswer.found, found))


@router.get("/nearest/box")
def nearest_to_box(
    served: Served, key: str, box: str, where: Where = None, count: Count = 24
) -> list[ObjectAnswer]:
    """The objects most like what an image of the run shows in a box."""
    picture = read_again(served, known_image(served.now(), key))
    return _like(served, picture, box, where, count)


@router.post("/nearest/image")
async def nearest_to_image(
    request: Request, served: Served, box: Corners = None, where: Where = None, count: Count = 24
) -> list[ObjectAnswer]:
    """The objects most like what an image shows in a box; its bytes are the body of the request.

    Without a box it is its main object, or all of it if there is none.
    """
    picture = await _brought(request)
    return await run_in_threadpool(_like, served, picture, box, where, count)


@router.post("/discover")
async def discover(request: Request, served: Served, count: Count = 12) -> Discovered:
    """What the model finds in an image, and the objects of the run that are most like it.

    The bytes of the image are the body of the request. Nothing of it is kept.
    """
    picture = await _brought(request)
    return await run_in_threadpool(_discover, served, picture, count)


def _discover(served: ServedRun, picture: Picture, count: int) -> Discovered:
    with served.model() as heap:
        result = heap([picture], served.collection.discovered_with)[0]
    objects, canvas = result.objects, canvas_of((picture.width, picture.height))
    shapes = [
        ShapeAnswer(
            path=path,
            object=ObjectAnswer(
                id=f"{NEW}#{place}", key=NEW, box=tuple(box), score=score, category=None,
                similarity=None,
            ),
        )
        for place, (path, box, score) in enumerate(
            zip(outlines(objects, canvas), objects.boxes.tolist(), objects.scores.tolist(),
                strict=True)
        )
    ]  # fmt: skip
    store = served.collection.store
    near = [nearest(store, np.asarray(vector), count) for vector in objects.embeddings]
    return Discovered(
        width=picture.width,
        height=picture.height,
        canvas=canvas,
        shapes=shapes,
        regions=b64encode(region_map(result)),
        nearest=[list(map(ObjectAnswer.found, hits)) for hits in near],
    )


def _like(
    served: ServedRun, picture: Picture, box: str | None, where: str | None, count: int
) -> list[ObjectAnswer]:
    corners = None if box is None else _corners(box)
    with served.model():
        hits = served.collection.search(picture, box=corners, where=where, count=count)
    return list(map(ObjectAnswer.found, hits))


async def _brought(request: Request) -> Picture:
    """The image in the body of a request."""
    data = await request.body()
    try:
        return await run_in_threadpool(decode_bytes, NEW, data, UPLOAD)
    except ImageError as error:
        raise HTTPException(413 if error.stage == "limit" else 422, error.reason) from error


def _corners(text: str) -> Box:
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
    except ValueError:
        raise HTTPException(422, f"{text!r} is no box; give x1,y1,x2,y2 in pixels") from None
    return x1, y1, x2, y2

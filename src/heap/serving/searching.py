"""Routes of search: objects like an object, a box, or an image that somebody brings."""

from base64 import b64encode
from collections.abc import Callable
from typing import Annotated, TypeVar

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Request

from heap.base.errors import ImageError
from heap.images import Picture
from heap.images.decode import Limits, decode_bytes
from heap.report.outlines import region_map
from heap.serving.answers import Box, Discovered, ObjectAnswer, ShapeAnswer
from heap.serving.browsing import Served, known_image
from heap.serving.photos import read_again
from heap.serving.pictures import encode_large
from heap.serving.served import ServedRun
from heap.serving.wording import without_folders
from heap.store.condition import EXAMPLE, LENGTH
from heap.store.search import nearest
from heap.view.contents import trace_outlines

router = APIRouter(prefix="/api", tags=["search"])

UPLOAD = Limits(byte_count=64 * 2**20, pixels=50_000_000)
"""Limits of an image that somebody brings."""
Count = Annotated[int, Query(ge=1, le=500)]
Where = Annotated[
    str | None,
    Query(description=f"A condition, such as {EXAMPLE}", max_length=LENGTH),
]
Corners = Annotated[
    str | None, Query(alias="box", description="x1,y1,x2,y2 in pixels of the upright original")
]
_T = TypeVar("_T")

NEW = "dropped image"
"""Name that stands for an image that is not of the run."""


@router.get("/nearest/object")
async def nearest_to_object(
    served: Served, id: str, where: Where = None, count: Count = 24
) -> list[ObjectAnswer]:
    """The objects most like an object of the run, most alike first."""
    return await served.looking.take(_find_like_object, served, id, where, count)


def _find_like_object(
    served: ServedRun, id: str, where: str | None, count: int
) -> list[ObjectAnswer]:
    if not served.now().has_object(id):
        raise HTTPException(404, f"this run has no object {id!r}")
    hits = served.collection.search(object_id=id, where=where, count=count)
    return list(map(ObjectAnswer.from_hit, hits))


@router.get("/nearest/box")
async def nearest_to_box(
    served: Served, key: str, box: str, where: Where = None, count: Count = 24
) -> list[ObjectAnswer]:
    """The objects most like what an image of the run shows in a box."""
    return await served.thinking.take(_find_like_box, served, key, box, where, count)


def _find_like_box(
    served: ServedRun, key: str, box: str, where: str | None, count: int
) -> list[ObjectAnswer]:
    picture = read_again(served, known_image(served.now(), key))
    return _find_like(served, picture, box, where, count)


@router.post("/nearest/image", max_body_size=UPLOAD.byte_count)
async def nearest_to_image(
    request: Request, served: Served, box: Corners = None, where: Where = None, count: Count = 24
) -> list[ObjectAnswer]:
    """The objects most like what an image shows in a box; its bytes are the body of the request.

    Without a box it is its main object, or all of it if there is none.
    """
    return await _with_image(
        request, served, lambda picture: _find_like(served, picture, box, where, count)
    )


@router.post("/discover", max_body_size=UPLOAD.byte_count)
async def discover(request: Request, served: Served, count: Count = 12) -> Discovered:
    """Objects that the model finds in an image, with the objects of the run most like them.

    The bytes of the image are the body of the request. Nothing of it is kept.
    """
    return await _with_image(request, served, lambda picture: _discover(served, picture, count))


def _discover(served: ServedRun, picture: Picture, count: int) -> Discovered:
    result = served.model()([picture], served.collection.discovered_with)[0]
    objects, drawn = result.objects, trace_outlines(result)
    shapes = [
        ShapeAnswer(
            path=path,
            object=ObjectAnswer(
                id=f"{NEW}#{place}", key=NEW, box=tuple(box), score=score, category=None,
                similarity=None,
            ),
        )
        for place, (path, box, score) in enumerate(
            zip(drawn.paths, objects.boxes.tolist(), objects.scores.tolist(), strict=True)
        )
    ]  # fmt: skip
    store = served.collection.store
    near = [nearest(store, np.asarray(vector), count) for vector in objects.embeddings]
    return Discovered(
        width=picture.width,
        height=picture.height,
        canvas=drawn.canvas,
        shapes=shapes,
        photo=b64encode(encode_large(picture)),
        regions=b64encode(region_map(result)),
        nearest=[list(map(ObjectAnswer.from_hit, hits)) for hits in near],
    )


def _find_like(
    served: ServedRun, picture: Picture, box: str | None, where: str | None, count: int
) -> list[ObjectAnswer]:
    corners = None if box is None else _parse_box(box)
    served.model()
    hits = served.collection.search(picture, box=corners, where=where, count=count)
    return list(map(ObjectAnswer.from_hit, hits))


async def _with_image(request: Request, served: ServedRun, call: Callable[[Picture], _T]) -> _T:
    """Call a function with the image in the body of a request.

    The body is read only when there is a place in the queue, so that few images are in memory.
    """
    with served.thinking.place():
        data = await request.body()
        return await served.thinking.work(lambda: call(_decode(data, served)))


def _decode(data: bytes, served: ServedRun) -> Picture:
    try:
        return decode_bytes(NEW, data, UPLOAD)
    except ImageError as error:
        status = 413 if error.stage == "limit" else 422
        raise HTTPException(status, without_folders(error.reason, served.run)) from error


def _parse_box(text: str) -> Box:
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
    except ValueError:
        raise HTTPException(422, f"{text!r} is no box; give x1,y1,x2,y2 in pixels") from None
    return x1, y1, x2, y2

"""Pictures of a run: photos, thumbnails, objects cut out, and what is laid over an image.

A browser asks each time whether the one that it has is still right, which costs next to nothing;
only what is new is made and sent.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from PIL import Image

from heap.images import Limits, Picture
from heap.images.colour import as_srgb
from heap.masks.scaling import encoded, fitted
from heap.report.outlines import canvas_of, region_map
from heap.report.tiles import tile
from heap.serve.browsing import Served, known_image
from heap.serve.drawing import Box, boxes_svg, masks_svg, outlines
from heap.serve.photos import read_again
from heap.serve.served import ServedRun
from heap.serve.snapshot import Snapshot

router = APIRouter(prefix="/pictures", tags=["pictures"])

PHOTO_SIDE = 1600
"""Longest side of a photo that is shown large, in pixels."""
_SHOWN = Limits(draft_side=PHOTO_SIDE)
_QUALITY = 86
Side = Annotated[int, Query(ge=16, le=512)]


class Sender:
    """Sends a picture, unless the browser has it."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def send(self, made_of: object, kind: str, make: Callable[[], bytes]) -> Response:
        """`made_of` is all that the picture depends on, but for the address."""
        told = repr((str(self._request.url), made_of)).encode()
        tag = f'"{hashlib.blake2b(told, digest_size=12).hexdigest()}"'
        headers = {"Cache-Control": "private, no-cache", "ETag": tag}
        if self._request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        content = make()
        if not content:
            raise HTTPException(404, "there is no such picture")
        return Response(content, media_type=kind, headers=headers)


Send = Annotated[Sender, Depends(Sender)]


@router.get("/thumbnail", response_class=Response)
def thumbnail(served: Served, send: Send, key: str) -> Response:
    """The stored preview of an image."""
    now = served.recent()
    row = known_image(now, key)
    return send.send(row["checksum"], "image/jpeg", lambda: now.thumbnail(key))


@router.get("/photo", response_class=Response)
async def photo(served: Served, send: Send, key: str) -> Response:
    """An image, read again and upright, no side over 1600 pixels.

    Status 410 if it is not where it was, or another one by now.
    """
    return await served.looking.take(_photo, served, send, key)


def _photo(served: ServedRun, send: Sender, key: str) -> Response:
    row = known_image(served.recent(), key)
    return send.send(row["checksum"], "image/jpeg", lambda: _large(read_again(served, row, _SHOWN)))


@router.get("/tile", response_class=Response)
def object_tile(served: Served, send: Send, id: str, side: Side = 160) -> Response:
    """What an object shows, with a little around it, as a square."""
    now = served.recent()
    found = now.object(id)
    if found is None:
        raise HTTPException(404, f"this run has no object {id!r}")
    image = known_image(now, found["key"])
    box = (found["x1"], found["y1"], found["x2"], found["y2"])
    size = (image["width"], image["height"])
    return send.send(
        image["checksum"],
        "image/jpeg",
        lambda: tile(now.thumbnail(found["key"]), box, size, side),
    )


@router.get("/masks", response_class=Response)
def masks(served: Served, send: Send, key: str) -> Response:
    """The masks of the objects of an image that nobody has rejected, to be laid over it."""
    now = served.recent()
    row = known_image(now, key)
    kept = _kept(now, key)

    def make() -> bytes:
        result = now.record(key).result
        canvas = canvas_of((result.width, result.height))
        paths = outlines(result.objects, canvas)
        return masks_svg({place: paths[place] for place in kept}, canvas).encode()

    return send.send((row["checksum"], list(kept)), "image/svg+xml", make)


@router.get("/boxes", response_class=Response)
def boxes(served: Served, send: Send, key: str) -> Response:
    """The boxes of the objects of an image that nobody has rejected, to be laid over it."""
    now = served.recent()
    row = known_image(now, key)
    kept = _kept(now, key)
    size = (row["width"], row["height"])
    made_of = (row["checksum"], list(kept))
    return send.send(made_of, "image/svg+xml", lambda: boxes_svg(kept, size).encode())


@router.get("/regions", response_class=Response)
def regions(served: Served, send: Send, key: str) -> Response:
    """The region map of an image in colours, to be laid over it."""
    now = served.recent()
    row = known_image(now, key)
    return send.send(row["checksum"], "image/png", lambda: region_map(now.record(key).result))


def _kept(now: Snapshot, key: str) -> dict[int, Box]:
    """The boxes of the objects of an image that nobody has rejected, by their places in it."""
    return {
        row["index"]: (row["x1"], row["y1"], row["x2"], row["y2"])
        for row in now.objects_of(key)
        if not row["rejected"]
    }


def _large(picture: Picture) -> bytes:
    shown = Image.fromarray(as_srgb(picture.pixels, picture.profile))
    shown = shown.resize(fitted(shown.size, PHOTO_SIDE), Image.Resampling.LANCZOS)
    return encoded(shown, "JPEG", quality=_QUALITY)

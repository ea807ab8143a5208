"""Routes of pictures: photos, thumbnails, and regions to be laid over them."""

from fastapi import APIRouter, Response
from PIL import Image

from heap.images import Limits, Picture
from heap.images.colour import to_srgb
from heap.masks.scaling import encode_image, fit_size
from heap.report.outlines import region_map
from heap.serving.browsing import Served, known_image
from heap.serving.photos import read_again
from heap.serving.sending import Send, Sender
from heap.serving.served import ServedRun

router = APIRouter(prefix="/pictures", tags=["pictures"])

PHOTO_SIDE = 1600
"""Longest side of a photo that is shown large, in pixels."""
_SHOWN = Limits(draft_side=PHOTO_SIDE)
_QUALITY = 86


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
    return send.send(
        row["checksum"], "image/jpeg", lambda: encode_large(read_again(served, row, _SHOWN))
    )


@router.get("/regions", response_class=Response)
def regions(served: Served, send: Send, key: str) -> Response:
    """The region map of an image in colours, to be laid over it."""
    now = served.recent()
    row = known_image(now, key)
    return send.send(row["checksum"], "image/png", lambda: region_map(now.record(key).result))


def encode_large(picture: Picture) -> bytes:
    """JPEG of an image for browsers, which do not show TIFF, JPEG 2000, PPM or HEIC themselves."""
    shown = Image.fromarray(to_srgb(picture.pixels, picture.profile))
    shown = shown.resize(fit_size(shown.size, PHOTO_SIDE), Image.Resampling.LANCZOS)
    return encode_image(shown, "JPEG", quality=_QUALITY)

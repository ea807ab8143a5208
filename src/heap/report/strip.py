"""Strip of small pictures as HTML, which notebooks show."""

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from heap.masks.scaling import encode_image
from heap.report.overlays import draw_overlay
from heap.results import ImageResult

_SIDE = 320
"""Longest side of a picture in pixels."""
_HEIGHT = 160
"""Height at which pictures are shown, in pixels."""
_QUALITY = 80
"""JPEG quality, of 100."""


def strip_of(pictures: Iterable[tuple[bytes, ImageResult]]) -> str:
    """Images of HTML beside each other: thumbnails with the objects drawn on them."""
    return " ".join(_image(thumbnail, result) for thumbnail, result in pictures)


def _image(thumbnail: bytes, result: ImageResult) -> str:
    with Image.open(BytesIO(thumbnail), formats=["JPEG"]) as small:
        photo = np.asarray(small.convert("RGB"))
    drawn = draw_overlay(photo, result, _SIDE)
    data = b64encode(encode_image(drawn, "JPEG", quality=_QUALITY)).decode()
    key = escape(result.key, quote=True)
    source = f"data:image/jpeg;base64,{data}"
    return f'<img src="{source}" alt="{key}" title="{key}" height="{_HEIGHT}">'

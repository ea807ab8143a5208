"""Images that have to be encoded again, because they are not upright or of a rare format."""

from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import Image, JpegImagePlugin

from heap.export.formats import Format
from heap.images import Picture
from heap.images.formats import formats_of

_QUALITY = 95
_JPEGS = ("JPEG", "MPO")


def format_again(key: str, data: bytes, format: Format) -> Literal["JPEG", "PNG"]:
    """Format to encode an image in: a JPEG stays one, for as a PNG it is several times as large."""
    with Image.open(BytesIO(data), formats=formats_of(key)) as image:
        stays = image.format in _JPEGS and "JPEG" in format.kinds
    return "JPEG" if stays else format.otherwise


def save_upright(picture: Picture, data: bytes, kind: Literal["JPEG", "PNG"], path: Path) -> None:
    """Write the upright pixels of an image that was encoded as `data`, with its ICC profile.

    A JPEG keeps its quality, and so about its size.

    Raises:
        OSError: if it cannot be written.
    """
    options: dict[str, Any] = {"icc_profile": picture.profile or None}
    if kind == "JPEG":
        options |= _quality_of(picture.key, data)
    Image.fromarray(picture.pixels).save(path, kind, **options)


def _quality_of(key: str, data: bytes) -> dict[str, Any]:
    with Image.open(BytesIO(data), formats=formats_of(key)) as image:
        tables = getattr(image, "quantization", {})
        # The pixels are written as colours, which need two tables; a grey JPEG has only one.
        if image.format not in _JPEGS or image.mode != "RGB" or len(tables) < 2:
            return {"quality": _QUALITY}
        sampling = JpegImagePlugin.get_sampling(image)
    return {"qtables": tables} | ({"subsampling": sampling} if sampling >= 0 else {})

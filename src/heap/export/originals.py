"""Original images for an export: copied, linked, or re-encoded, always upright."""

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import cast

from PIL import ExifTags, Image

from heap.errors import ImageError, InputError
from heap.export.formats import Format, ImageMode
from heap.export.items import Item
from heap.export.reencoding import kind_again, save_upright
from heap.images import FORMATS, Limits, Picture, Source, decode_bytes
from heap.images.source import is_url

_WHOLE = Limits(draft_side=Limits().side)
"""Images are decoded at their full size."""
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp"}


@dataclass(frozen=True)
class Original:
    """The original image of an item, read again."""

    item: Item
    data: bytes
    """As it is encoded."""

    @cached_property
    def picture(self) -> Picture:
        """Upright, at full size.

        Raises:
            ImageError: if it cannot be decoded, or is no longer of the size that it had.
        """
        return _same_size(self.item, decode_bytes(self.item.key, self.data, _WHOLE))

    def put(self, folder: Path, format: Format, mode: ImageMode) -> str:
        """Bring the image into a folder, and return the name of its file there.

        It is as it was, or a link if those are wanted and it is on this machine; but one that is
        not upright, or of a format that the readers do not take, is re-encoded.

        Raises:
            ImageError: if it cannot be decoded, or is no longer of the size that it had.
            OSError: if it cannot be written.
        """
        kind = self._kind_as_is()
        if kind not in format.kinds:
            again = kind_again(self.data, format)
            path = folder / (self.item.stem + _SUFFIXES[again])
            save_upright(self.picture, self.data, again, path)
            return path.name
        path = folder / (self.item.stem + _SUFFIXES[kind])
        if mode == "link" and not is_url(self.item.source):
            path.symlink_to(self.item.source)
        else:
            path.write_bytes(self.data)
        return path.name

    def _kind_as_is(self) -> str:
        """The format of an upright image of the size it had, or nothing."""
        try:
            with Image.open(BytesIO(self.data), formats=FORMATS) as image:
                turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
                same = image.size == (self.item.width, self.item.height)
                return "" if turned or not same else cast(str, image.format)
        except Exception:
            # Decoders raise anything for a damaged file; decoding it says what is wrong.
            return ""


def read_original(item: Item) -> Original:
    """Read the original image of an item from where the run found it.

    Raises:
        ImageError: if it cannot be read.
    """
    if not item.source:
        reason = "the run does not know where it was: on standard input, or it is an old run"
        raise ImageError(item.key, "read", reason)
    try:
        return Original(item, Source(item.key, item.source).read())
    except InputError as error:
        raise ImageError(item.key, "read", str(error)) from error


def _same_size(item: Item, picture: Picture) -> Picture:
    if (picture.width, picture.height) != (item.width, item.height):
        reason = (
            f"it is {picture.width}x{picture.height} now and was {item.width}x{item.height} in the "
            "run; run `heap discover` again with another --out"
        )
        raise ImageError(item.key, "read", reason)
    return picture

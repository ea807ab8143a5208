"""Original images for an export: copied, linked, or re-encoded, always upright; and crops."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import cast

import numpy as np
from PIL import ExifTags, Image

from heap.base.errors import ImageError
from heap.export.formats import Format, ImageMode
from heap.export.items import Item
from heap.export.reencoding import format_again, save_upright
from heap.export.writer import file_in
from heap.images import FORMATS, Limits, Picture, decode_bytes
from heap.images.source import is_url
from heap.store.photos import Photo, Photos

_WHOLE = Limits(draft_side=Limits().side)
"""Limits without a draft: images are decoded at their full size, for masks are of that size."""
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp"}
_KINDS = {suffix: kind for kind, suffix in _SUFFIXES.items()} | {".jpeg": "JPEG"}


@dataclass(frozen=True)
class Original:
    """The original image of an item, read again."""

    item: Item
    photo: Photo

    @cached_property
    def picture(self) -> Picture:
        """Upright image at full size.

        Raises:
            ImageError: if it cannot be decoded, or is no longer of the size that it had.
        """
        return _same_size(self.item, decode_bytes(self.item.key, self.photo.data, _WHOLE))

    def put(self, folder: Path, format: Format, mode: ImageMode) -> str:
        """Bring the image into a folder, and return its path there.

        It is copied as it is, or linked if that is wanted and it is on this machine; one that is
        not upright, or of a format that readers do not take, is re-encoded.

        Raises:
            ImageError: if it cannot be decoded, or is no longer of the size that it had.
            OSError: if it cannot be written.
        """
        kind = self._kind_as_is()
        if kind not in format.kinds:
            picture, data = self.picture, self.photo.data
            again = format_again(picture.key, data, format)
            name = self.item.name + _SUFFIXES[again]
            save_upright(picture, data, again, file_in(folder, name))
            return name
        name = self.item.name + self._suffix(kind, format)
        path = file_in(folder, name)
        if mode == "link" and not is_url(self.photo.place):
            path.symlink_to(Path(self.photo.place).absolute())
        else:
            path.write_bytes(self.photo.data)
        return name

    def _suffix(self, kind: str, format: Format) -> str:
        """The photo's own, such as .JPG, where readers take it and it says what the file is."""
        own = PurePosixPath(self.item.photo).suffix
        return own if format.any_suffix and _KINDS.get(own.lower()) == kind else _SUFFIXES[kind]

    def _kind_as_is(self) -> str:
        """Format of an upright image of the size that it had; empty if it has to be re-encoded."""
        try:
            with Image.open(BytesIO(self.photo.data), formats=FORMATS) as image:
                turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
                same = image.size == (self.item.width, self.item.height)
                return "" if turned or not same else cast(str, image.format)
        except Exception:
            # Decoders raise anything for a damaged file; decoding it says what is wrong.
            return ""


def read_original(photos: Photos, item: Item) -> Original:
    """Read the original image of an item.

    Raises:
        ImageError: if it cannot be read, or its content is another one now.
    """
    return Original(item, photos.read(item.key, item.source, item.digest))


def write_crops(original: Original, folder: Path, classes: Mapping[str, str]) -> int:
    """Cut every object out of its image into `CLASS/NAME-INDEX.png`.

    A crop is what is in the box, transparent around the object. `classes` has the names of folders
    by class. Returns the number of crops.

    Raises:
        ImageError: if the image cannot be decoded, or is no longer of the size that it had.
        OSError: if a crop cannot be written.
    """
    item, pixels = original.item, original.picture.pixels
    profile = original.picture.profile or None
    for labelled in item.objects:
        left, top, right, bottom = labelled.bounds
        inside = (slice(top, bottom), slice(left, right))
        alpha = labelled.pixels[inside].astype(np.uint8) * 255
        crop = Image.fromarray(np.dstack([pixels[inside], alpha]))
        path = file_in(folder, f"{classes[labelled.label]}/{item.name}-{labelled.index}.png")
        crop.save(path, icc_profile=profile)
    return len(item.objects)


def _same_size(item: Item, picture: Picture) -> Picture:
    if (picture.width, picture.height) != (item.width, item.height):
        reason = (
            f"it is {picture.width}x{picture.height} now and was {item.width}x{item.height} in the "
            "run; run `heap discover` again with another --out"
        )
        raise ImageError(item.key, "read", reason)
    return picture

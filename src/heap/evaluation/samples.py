"""Images with the masks of their foreground: what a method is scored on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image

from heap.errors import InputError
from heap.images import Picture, Source, decode


@dataclass(frozen=True)
class Sample:
    """An image and the mask of its foreground."""

    image: Path
    mask: Path

    @property
    def key(self) -> str:
        """Its key in a run on the folder of images."""
        return self.image.name

    @property
    def source(self) -> Source:
        """The image, not read yet."""
        return Source(self.key, str(self.image))

    def picture(self) -> Picture:
        """The decoded image.

        Raises:
            ImageError: if it cannot be used.
        """
        return decode(self.source)

    def truth(self) -> Bool[np.ndarray, "height width"]:
        """True on the foreground: above 127 in the mask.

        Raises:
            InputError: if the mask cannot be read.
        """
        try:
            with Image.open(self.mask) as mask:
                return np.asarray(mask.convert("L")) > 127
        except OSError as error:
            raise InputError(f"the mask {self.mask} cannot be read: {error}") from error


def samples(folder: Path, limit: int | None = None) -> list[Sample]:
    """The images of `folder`/images with their masks in `folder`/masks, by name.

    A mask is a PNG with the stem of its image. At most `limit` images, the first ones.

    Raises:
        InputError: if there is no such image, or a mask is missing.
    """
    found = [
        Sample(image, folder / "masks" / f"{image.stem}.png")
        for image in files_of(folder / "images", limit)
    ]
    if missing := [sample.mask for sample in found if not sample.mask.is_file()]:
        raise InputError(f"the mask {missing[0]} is missing")
    return found


def files_of(folder: Path, limit: int | None = None) -> list[Path]:
    """The files of a folder of an evaluation set, by name; at most `limit`, the first ones.

    Raises:
        InputError: if it is missing or empty.
    """
    found = sorted(folder.iterdir())[:limit] if folder.is_dir() else []
    if not found:
        raise InputError(f"no data in {folder}: it is missing or empty; name another data folder")
    return found

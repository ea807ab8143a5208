"""Readers of masks, and of the sizes of images, that do not trust the files."""

import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from heap.benchmark.datasets.problems import DataError, Problem
from heap.images import FORMATS, Source
from heap.images.source import reason_of

INDEXED = ("P", "L")
GREY = ("L", "1", "P", "LA", "RGB", "RGBA")
_ON_ITS_SIDE = (5, 6, 7, 8)


def read_indices(path: Path, width: int, height: int) -> UInt8[np.ndarray, "height width"]:
    """Read the values of a mask as they are stored: of a palette, the indices.

    Raises:
        InputError: if it cannot be read, or is of another size or kind.
    """
    return np.asarray(_read(path, width, height, INDEXED))


def read_grey(path: Path, width: int, height: int) -> UInt8[np.ndarray, "height width"]:
    """Read the luma of a mask.

    Raises:
        InputError: if it cannot be read, or is of another size or kind.
    """
    return np.asarray(_read(path, width, height, GREY).convert("L"))


def upright_size(path: Path) -> tuple[int, int]:
    """Read the width and height of an image as it is shown, from nothing but its header.

    Raises:
        DataError: if there is no such header.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; decoding has limits of its own.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                orientation = image.getexif().get(ExifTags.Base.Orientation)
                width, height = image.size
    # Damaged headers raise what they like.
    except Exception as error:
        raise DataError(Problem(str(path), f"is no readable image: {_reason(error)}")) from error
    return (height, width) if orientation in _ON_ITS_SIDE else (width, height)


def _read(path: Path, width: int, height: int, modes: tuple[str, ...]) -> Image.Image:
    data = Source(path.name, str(path)).read()
    try:
        mask = Image.open(io.BytesIO(data), formats=FORMATS)
        _check(path, mask, (width, height), modes)
        mask.load()
    except DataError:
        raise
    # Damaged files raise what they like.
    except Exception as error:
        raise DataError(Problem(str(path), f"the mask cannot be read: {_reason(error)}")) from error
    return mask


def _check(path: Path, mask: Image.Image, size: tuple[int, int], modes: tuple[str, ...]) -> None:
    """Check a mask before it is decoded, so that it has no more pixels than its image."""
    if mask.size != size:
        theirs, ours = (f"{width} x {height}" for width, height in (mask.size, size))
        what = f"the mask is {theirs} pixels, but its image is {ours} upright"
        raise DataError(Problem(str(path), what))
    if mask.mode not in modes:
        what = f"the mask has colours of mode {mask.mode}, not {' or '.join(modes)}"
        raise DataError(Problem(str(path), what))


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"not one of {', '.join(FORMATS)}"
    return reason_of(error)

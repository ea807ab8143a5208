"""Images that a program holds, as pictures: arrays, tensors, Pillow images, bytes, files, paths.

Arrays are height × width, or with 1 (grey), 3 (RGB) or 4 (RGBA) channels behind; colours in the
order of OpenCV are turned by `array[..., ::-1]`. Tensors may have the channels first, too; a shape
that can be read both ways, such as 3 × 200 × 3, is read so. Values are 0 to 255 in `uint8`,
0 to 1 in floats, and 0 to 65,535 in `uint16`, where darker ones are stretched as in
`heap.images.deep`; whatever else is refused.
"""

import io
import os
from collections.abc import Iterable, Iterator, Sized
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from heap.base.errors import InputError
from heap.images.colour import put_on_backdrop
from heap.images.decode import Picture, at_stage, decode, decode_bytes, picture_from, profile_of
from heap.images.deep import from_grey, to_bytes
from heap.images.listing import list_images
from heap.images.source import Source

_CHANNELS = (1, 3, 4)


def is_single(images: object) -> bool:
    """Whether this is one image, and not several of them; an array of 4 axes is several."""
    if isinstance(images, Picture | Image.Image | str | bytes | bytearray | memoryview):
        return True
    if isinstance(images, os.PathLike) or hasattr(images, "read"):
        return True
    return len(getattr(images, "shape", (0,) * 4)) < 4


def is_pair(item: object) -> bool:
    """Whether this is a name and an image."""
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)


def to_pictures(images: Iterable[Any], names: Iterable[str] | None = None) -> Iterator[Picture]:
    """Picture of every image, when it is asked for; `names` become their keys.

    A pair (name, image) has its name with it.

    Raises:
        InputError: if an image is nothing that can be used, or there are fewer names than images,
            or more where it is known how many there are.
        ImageError: if its bytes are damaged.
    """
    if isinstance(images, Sized) and isinstance(names, Sized) and len(images) != len(names):
        raise InputError(f"there are {len(images)} images and {len(names)} names; each has one")
    named = None if names is None else iter(names)
    for number, image in enumerate(images):
        name = None if named is None else next(named, None)
        if named is not None and name is None:
            raise InputError(f"there are more images than names, which are {number}")
        if is_pair(image):
            name, image = image if name is None else (name, image[1])
        yield to_picture(image, name, f"image-{number}")


def to_picture(image: Any, name: str | None = None, usual: str = "image") -> Picture:
    """Picture of an image; its key is `name`, else the name of its file, else `usual`.

    Raises:
        InputError: if it is nothing that can be used, saying why and what to do.
        ImageError: if its bytes are damaged.
    """
    if isinstance(image, str | os.PathLike):
        image = decode(single_source(os.fspath(image)))
    if isinstance(image, Picture):
        return image if name is None else replace(image, key=name)
    key = name or usual
    if (data := _encoded(image, key)) is not None:
        return decode_bytes(key, data)
    return picture_from(key, *_to_rgb(image, key))


def encode(image: Any, key: str) -> tuple[bytes, str | None]:
    """Encoded bytes of an image that is in memory, and a note of what was made up for them.

    Those that are encoded stay as they are; others become PNG, upright and without a loss.

    Raises:
        InputError: if it is nothing that can be used, saying why and what to do.
        ImageError: if it cannot be read or decoded.
    """
    if (data := _encoded(image, key)) is not None:
        return data, None
    rgb, note, profile = _to_rgb(image, key)
    file = io.BytesIO()
    # The quickest compression: the files are for programs, and a model waits for them.
    rgb.save(file, "PNG", compress_level=1, icc_profile=profile or None)
    return file.getvalue(), note


def _encoded(image: Any, key: str) -> bytes | None:
    """Bytes of an image that is encoded already, None of any other."""
    if hasattr(image, "read"):
        with at_stage(key, "read"):
            image = image.read()
    return bytes(image) if isinstance(image, bytes | bytearray | memoryview) else None


def _to_rgb(image: Any, key: str) -> tuple[Image.Image, str | None, bytes]:
    """Upright RGB of an image that is not encoded, a note, and the profile of its colours."""
    if isinstance(image, Image.Image):
        with at_stage(key, "decode"):  # one that was opened from a file is decoded only now
            return _from_pillow(image)
    # A tensor is known by what it can do: torch is slow to import, and not needed for this.
    if hasattr(image, "detach") and hasattr(image, "cpu"):
        return _from_array(_to_numpy(image), key)
    if isinstance(image, np.ndarray):
        return _from_array(image, key)
    raise InputError(
        f"{key} is of type {type(image).__name__}; an image is an array, a tensor, a Pillow image, "
        "encoded bytes, a binary file, a path or a URL"
    )


def single_source(path: str) -> Source:
    """Source of the only image in a place.

    Raises:
        InputError: if there are several in it, or none.
    """
    sources = list(islice(list_images(path), 2))
    if len(sources) > 1:
        raise InputError(
            f"{path!r} holds several images; name one of them: `heap.discover` works on folders"
        )
    return sources[0]


def _from_pillow(image: Image.Image) -> tuple[Image.Image, str | None, bytes]:
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F" or upright.mode.startswith("I"):
        rgb, note = from_grey(upright, image)
    elif upright.has_transparency_data:
        rgb, note = put_on_backdrop(upright.convert("RGBA"))
    else:
        rgb, note = upright.convert("RGB"), None
    return rgb, note, profile_of(image)


def _to_numpy(tensor: Any) -> np.ndarray:
    """Array of a tensor, channels behind; half precision, which NumPy lacks in part, as float."""
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.float()
    array = np.asarray(tensor)
    return array.transpose(1, 2, 0) if _may_be_first(array) else array


def _may_be_first(array: np.ndarray) -> bool:
    """Whether the first axis can be that of the channels."""
    return array.ndim == 3 and array.shape[0] in _CHANNELS


def _from_array(array: np.ndarray, key: str) -> tuple[Image.Image, str | None, bytes]:
    """RGB of an array, channels behind."""
    values = array[..., None] if array.ndim == 2 else array
    if values.ndim != 3 or values.shape[2] not in _CHANNELS or not values.size:
        first = "; with the channels first, use array.transpose(1, 2, 0)"
        hint = first if _may_be_first(array) else ""
        raise InputError(
            f"{key} has the shape {array.shape}; an image is height × width, or with 1, 3 or 4 "
            f"channels behind{hint}"
        )
    shades, note = _to_shades(values, key)
    if values.shape[2] == 4:
        rgb, transparent = put_on_backdrop(Image.fromarray(shades))
        return rgb, "; ".join(filter(None, [note, transparent])) or None, b""
    grey = values.shape[2] == 1
    rgb = Image.fromarray(shades[..., 0] if grey else shades).convert("RGB")
    return rgb, note, b""


def _to_shades(
    values: np.ndarray, key: str
) -> tuple[UInt8[np.ndarray, "height width channel"], str | None]:
    """Values as bytes, with a note if they were stretched."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values), None
    if values.dtype == np.uint16:
        colours, note = to_bytes(values[..., :3])
        # Opacity is no brightness: it is not stretched.
        opacity = (values[..., 3:] >> 8).astype(np.uint8)
        return np.concatenate([colours, opacity], axis=2), note
    if not np.issubdtype(values.dtype, np.floating):
        raise InputError(
            f"{key} holds {values.dtype}; convert it to uint8 (0 to 255), uint16 (0 to 65,535) or "
            "floats (0 to 1)"
        )
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # not a number is refused as well
        raise InputError(
            f"{key} holds floats from {low:g} to {high:g}; scale them to 0 to 1, or convert them "
            "to uint8"
        )
    return np.rint(values * 255).astype(np.uint8), None

"""Conversion of values of more than 8 bits to 8.

Black and white are, in this order:

1. those that the file states: its bits per sample where they are fewer than 16, or the tags
   SMinSampleValue and SMaxSampleValue of TIFF;
2. 0 and the largest value of the format, where the values reach above a quarter of it (in 16 bits,
   those of 10, 12 or 14 bits never do); of floats 0 and 1, or 0 and 255 if they are whole numbers,
   where no value lies outside;
3. else the values that one pixel in a thousand is darker, and one in a thousand brighter than.
"""

import sys
from collections.abc import Callable

import numpy as np
from jaxtyping import Num, UInt8, UInt16
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile

Again = Callable[[], ImageFile]
"""Function that opens the image once more, without loading it."""
Range = tuple[float, float]
"""Values that become black and white."""

_LOWEST_TAG, _HIGHEST_TAG = 340, 341
"""Numbers of SMinSampleValue and SMaxSampleValue."""
_FULL, _QUARTER = 65535.0, 2**14 - 1
"""Largest values of 16 bits, and of 14."""
_ENDS = (0.1, 99.9)
"""Percentiles taken for the ends of the values, so that a few hot or dead pixels do not count."""
_LOOKED_AT = 2**20
"""Least number of values, evenly spread, that the percentiles are computed from."""
_OTHER = "L" if sys.byteorder == "big" else "B"
_SWAPPED = {"B": "L", "L": "B", "N": _OTHER}
"""Byte orders of Pillow's raw modes; N is that of the machine."""
_GREY_ALPHA = "LA;16B"


def from_grey(
    image: Image.Image, opened: Image.Image | None = None
) -> tuple[Image.Image, str | None]:
    """Convert a loaded grey picture of 16 bits, whole numbers or floats, to RGB; with a note.

    `opened` is the picture with the tags of the file, where `image` is a copy without them.
    """
    opened, values = opened or image, np.asarray(image)
    black, white, note = _range_of_greys(opened, values)
    grey = _scale(values, black, white)
    if _tag(opened, ExifTags.Base.PhotometricInterpretation) == 0:  # white is zero
        grey = 255 - grey
    return Image.fromarray(grey).convert("RGB"), note


def to_bytes(
    values: UInt16[np.ndarray, "*any"],
) -> tuple[UInt8[np.ndarray, "*any"], str | None]:
    """Bring values of 16 bits of which no file states the range to 8; with a note if stretched."""
    low, high = _value_range(values)
    if _uses_range(float(values.min()), float(values.max()), high):
        return _scale(values, 0.0, _FULL), None
    return _scale(values, low, high), _note(low, high)


def raw_mode(image: ImageFile) -> str:
    """Raw mode, by Pillow, of an image that is not loaded yet, if its colours have 16 bits."""
    arguments = image.tile[0].args if image.tile else None
    mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    kinds = [f"{kind};16{order}" for kind in ("RGB", "RGBA", "RGBX") for order in _SWAPPED]
    return str(mode) if mode in (*kinds, _GREY_ALPHA) else ""


def from_colour(image: Image.Image, raw: str, again: Again) -> tuple[Image.Image, str | None]:
    """Bring back what Pillow drops of a loaded picture of 16 bits a channel, where it matters.

    Pillow keeps the upper byte of each value, and in sensor data that one is nearly empty.
    """
    upper = np.asarray(image)[..., :3]
    limits = _stated_range(image)
    # Upper bytes above those of 14 bits: the picture uses its range, so that they are enough.
    if limits is None and _value_range(upper)[1] > _QUARTER >> 8:
        return image, None
    values = upper.astype(np.uint16) << 8 | _lower_bytes(raw, again())
    black, white = limits or _value_range(values)
    if (black, white) == (0, _FULL) or black == white:
        return image, None
    bright = Image.fromarray(_scale(values, black, white))
    if image.mode == "RGBA":
        bright.putalpha(image.getchannel("A"))
    return bright, _note(black, white)


def _lower_bytes(raw: str, image: ImageFile) -> UInt16[np.ndarray, "height width channel"]:
    """Decode once more, as if the bytes of each value were in the other order."""
    # Grey and alpha of two bytes each take as much room as RGBA of one byte each, of which the
    # second is the lower byte of the grey.
    swapped = "RGBA" if raw == _GREY_ALPHA else raw[:-1] + _SWAPPED[raw[-1]]
    image.tile = [
        tile._replace(args=(swapped, *tile.args[1:]) if isinstance(tile.args, tuple) else swapped)
        for tile in image.tile
    ]
    image.load()
    chosen = slice(1, 2) if raw == _GREY_ALPHA else slice(3)
    return np.asarray(image)[..., chosen].astype(np.uint16)


def _range_of_greys(
    image: Image.Image, values: Num[np.ndarray, "height width"]
) -> tuple[float, float, str | None]:
    bits = _tag(image, ExifTags.Base.BitsPerSample)
    if isinstance(bits, tuple) and 8 < bits[0] < 16:
        return 0.0, 2.0 ** bits[0] - 1, None
    if stated := _stated_range(image):
        return *stated, None if stated == (0, _FULL) else _note(*stated)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0, None
    low, high = _value_range(finite)
    if (white := _white_value(image, finite, high)) is not None:
        return 0.0, white, None
    return low, high, _note(low, high)


def _white_value(image: Image.Image, finite: Num[np.ndarray, " any"], high: float) -> float | None:
    """Value of white, if the mode or the values tell it."""
    lowest, highest = float(finite.min()), float(finite.max())
    if lowest < 0:
        return None
    whole_bytes = highest <= 255 and (finite == np.rint(finite)).all()
    if image.mode == "F":
        return 1.0 if highest <= 1 else 255.0 if whole_bytes else None
    if image.mode == "I" and image.format == "TIFF" and whole_bytes:
        return 255.0
    return _FULL if _uses_range(lowest, highest, high) else None


def _uses_range(lowest: float, highest: float, high: float) -> bool:
    """Whether values are of 16 bits and use them, so that they are not stretched.

    A picture of one value is not stretched either: there is no range to stretch.
    """
    return bool(lowest == highest <= _FULL or _QUARTER < high <= highest <= _FULL)


def _stated_range(image: Image.Image) -> Range | None:
    """Smallest and largest values that the tags of a TIFF state."""
    try:
        low = float(np.min(_tag(image, _LOWEST_TAG)))  # type: ignore[call-overload]  # any value
        high = float(np.max(_tag(image, _HIGHEST_TAG)))  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return None
    return (low, high) if np.isfinite([low, high]).all() and low < high else None


def _value_range(values: Num[np.ndarray, "..."]) -> Range:
    """Range of the values, but for the few that are darkest and brightest."""
    sample = values.ravel()[:: max(1, values.size // _LOOKED_AT)]
    # Values that occur, not interpolated ones.
    low = np.percentile(sample, _ENDS[0], method="lower")
    high = np.percentile(sample, _ENDS[1], method="higher")
    return float(low), float(high)


def _scale(
    values: Num[np.ndarray, "*any"], black: float, white: float
) -> UInt8[np.ndarray, "*any"]:
    """Scale [black, white] to [0, 255]; not-a-number is black."""
    # float32 is exact for 16 bits, and half as large.
    wide = np.float32 if values.dtype.itemsize == 2 else np.float64
    inside = np.nan_to_num(np.clip(values.astype(wide), black, white), nan=black)
    scaled: np.ndarray = (inside - wide(black)) * wide(255 / ((white - black) or 1))
    bytes_: UInt8[np.ndarray, "*any"] = np.rint(scaled).astype(np.uint8)
    return bytes_


def _note(black: float, white: float) -> str:
    return f"values {black:g} to {white:g} stretched to 8 bits"


def _tag(image: Image.Image, tag: int) -> object:
    return getattr(image, "tag_v2", {}).get(tag)

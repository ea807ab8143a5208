"""Bring pictures of any mode to 8-bit RGB.

Values are taken as sRGB: embedded ICC profiles are ignored, as they are by what trained the
encoders.
"""

import numpy as np
from jaxtyping import Float, Num
from PIL import ExifTags, Image

BACKDROP = (128, 128, 128)
"""What shows through transparent parts; their hidden colours are dropped."""


def to_rgb(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Convert a loaded picture to mode RGB, and say what had to be made up, if anything.

    Greys of 16 bits are divided down, floats in [0, 1] and whole numbers up to 255 taken as what
    they are; other integers and floats are stretched from their smallest to their largest value.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return _from_deep(image)
    if image.has_transparency_data:
        return _on_backdrop(image.convert("RGBA"))
    return (image if image.mode == "RGB" else image.convert("RGB")), None


def _on_backdrop(image: Image.Image) -> tuple[Image.Image, str | None]:
    opaque = Image.new("RGB", image.size, BACKDROP)
    opaque.paste(image, mask=image)
    lowest = image.getchannel("A").getextrema()[0]
    return opaque, None if lowest == 255 else "transparency on grey"


def _from_deep(image: Image.Image) -> tuple[Image.Image, str | None]:
    values = np.asarray(image)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    white = None if low < 0 else _white(image, finite, high)
    if white is not None:
        grey, note = _scaled(values, 0.0, white), None
    else:
        grey, note = _scaled(values, low, high), f"values {low:g} to {high:g} stretched to 8 bits"
    if _tag(image, ExifTags.Base.PhotometricInterpretation) == 0:  # white is zero
        grey = 255 - grey
    return Image.fromarray(np.rint(grey).astype(np.uint8)).convert("RGB"), note


def _white(image: Image.Image, finite: Num[np.ndarray, " any"], high: float) -> float | None:
    """The value of white, if the mode or the values tell."""
    if image.mode == "F":
        if high <= 1:
            return 1.0
        return 255.0 if high <= 255 and (finite == np.rint(finite)).all() else None
    if _tag(image, ExifTags.Base.BitsPerSample) == (12,):
        return 4095.0
    if image.mode == "I" and image.format == "TIFF" and high <= 255:
        return 255.0
    return 65535.0 if high <= 65535 else None


def _scaled(
    values: Num[np.ndarray, "height width"], black: float, white: float
) -> Float[np.ndarray, "height width"]:
    """From [black, white] to [0, 255]; not-a-number is black."""
    # float32 is exact for 16 bits, and half as large.
    wide = np.float32 if values.dtype.itemsize == 2 else np.float64
    inside = np.nan_to_num(np.clip(values.astype(wide), black, white), nan=black)
    scaled: np.ndarray = (inside - wide(black)) * wide(255 / ((white - black) or 1))
    return scaled


def _tag(image: Image.Image, tag: ExifTags.Base) -> object:
    return getattr(image, "tag_v2", {}).get(tag)

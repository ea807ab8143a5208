"""Conversion of pictures of any mode to 8-bit RGB.

Values are taken as sRGB: encoders were trained on photos whose profiles were ignored, and see them
so here. Where a photo is shown to people, `to_srgb` brings its colours back.
"""

import logging
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms
from PIL.ImageFile import ImageFile

from heap.images.deep import Again, from_colour, from_grey, raw_mode

logger = logging.getLogger(__name__)

BACKDROP = (128, 128, 128)
"""Colour behind transparent parts; their hidden colours are dropped, for nobody sees them."""


def to_rgb(image: ImageFile, again: Again) -> tuple[Image.Image, str | None]:
    """Load a picture and convert it to mode RGB; returns it with a note of what was made up.

    Values of more than 8 bits are brought to 8 as in `heap.images.deep`; `again` opens the picture
    once more.
    """
    raw = raw_mode(image)  # before it is loaded, which forgets how it was encoded
    image.load()
    if image.mode == "F" or image.mode.startswith("I"):
        return from_grey(image)
    bright, note = from_colour(image, raw, again) if raw else (image, None)
    if bright.has_transparency_data:
        opaque, transparent = put_on_backdrop(bright.convert("RGBA"))
        return opaque, "; ".join(filter(None, [note, transparent])) or None
    return (bright if bright.mode == "RGB" else bright.convert("RGB")), note


def put_on_backdrop(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Put a picture of mode RGBA on grey; returns it with a note if any of it shows through."""
    opaque = Image.new("RGB", image.size, BACKDROP)
    opaque.paste(image, mask=image)
    lowest = image.getchannel("A").getextrema()[0]
    return opaque, None if lowest == 255 else "transparency on grey"


def to_srgb(
    pixels: UInt8[np.ndarray, "height width 3"], profile: bytes
) -> UInt8[np.ndarray, "height width 3"]:
    """Convert the pixels of a picture with an ICC profile to sRGB, which screens show rightly.

    With a profile that is empty, sRGB's own, damaged or not of RGB colours, nothing is changed.
    """
    if not profile:
        return pixels
    try:
        theirs = ImageCms.ImageCmsProfile(BytesIO(profile))
        if theirs.profile.xcolor_space != "RGB " or _is_srgb(theirs):
            return pixels
        photo = Image.fromarray(pixels)
        shown = ImageCms.profileToProfile(photo, theirs, ImageCms.createProfile("sRGB"))
    # Little CMS fails with a damaged profile in many ways; the picture can be shown without it.
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        logger.debug("colours as they are: %s", error)
        return pixels
    return np.asarray(shown)


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    return "srgb" in (profile.profile.profile_description or "").lower()

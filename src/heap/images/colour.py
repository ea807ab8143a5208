"""Bring pictures of any mode to 8-bit RGB.

Values are taken as sRGB: the encoders see a photo with another profile as what trained them did,
without it. Where the photo is shown to people, `as_srgb` brings its colours back.
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
"""What shows through transparent parts; their hidden colours are dropped."""


def to_rgb(image: ImageFile, again: Again) -> tuple[Image.Image, str | None]:
    """Load a picture, convert it to mode RGB, and say what had to be made up, if anything.

    Values of more than 8 bits are brought to 8 as `heap.images.deep` says; `again` opens the
    picture once more.
    """
    raw = raw_mode(image)
    image.load()
    if image.mode == "F" or image.mode.startswith("I"):
        return from_grey(image)
    whole, note = from_colour(image, raw, again) if raw else (image, None)
    if whole.has_transparency_data:
        opaque, transparent = _on_backdrop(whole.convert("RGBA"))
        return opaque, "; ".join(filter(None, [note, transparent])) or None
    return (whole if whole.mode == "RGB" else whole.convert("RGB")), note


def _on_backdrop(image: Image.Image) -> tuple[Image.Image, str | None]:
    opaque = Image.new("RGB", image.size, BACKDROP)
    opaque.paste(image, mask=image)
    lowest = image.getchannel("A").getextrema()[0]
    return opaque, None if lowest == 255 else "transparency on grey"


def as_srgb(
    pixels: UInt8[np.ndarray, "height width 3"], profile: bytes
) -> UInt8[np.ndarray, "height width 3"]:
    """The pixels of a picture with an ICC profile as a screen without one shows them right.

    Where the profile is empty, sRGB's own, damaged or not of RGB colours, they are as they were.
    """
    if not profile:
        return pixels
    try:
        theirs = ImageCms.ImageCmsProfile(BytesIO(profile))
        if theirs.profile.xcolor_space != "RGB " or _is_srgb(theirs):
            return pixels
        photo = Image.fromarray(pixels)
        shown = ImageCms.profileToProfile(photo, theirs, ImageCms.createProfile("sRGB"))
    # Little CMS says of a damaged profile what its place leads to; the picture is still one.
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        logger.debug("colours as they are: %s", error)
        return pixels
    return np.asarray(shown)


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    return "srgb" in (profile.profile.profile_description or "").lower()

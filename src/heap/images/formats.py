"""Which file formats are read: pictures only, decoded by the well-tested libraries of Pillow."""

from functools import cache

from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM")
"""Pillow's names. EPS (which starts Ghostscript), PSD and the other rare ones are never tried."""

_VARIANTS = ("MPO",)
"""Several JPEGs in one file; Pillow comes to it through JPEG."""


@cache
def suffixes() -> frozenset[str]:
    """File name suffixes of `FORMATS`, lower case, with the dot."""
    known = Image.registered_extensions()
    return frozenset(suffix for suffix, name in known.items() if name in FORMATS + _VARIANTS)

"""File formats that are read: pictures only, decoded by the well-tested libraries of Pillow."""

from functools import cache
from pathlib import PurePosixPath

from PIL import Image


def _heif() -> tuple[str, ...]:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return ()
    register_heif_opener()  # from now on Pillow opens HEIC like its own formats
    return ("HEIF",)


FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM", *_heif())
"""Pillow's names. EPS (which starts Ghostscript), PSD and the other rare ones are never tried."""

ABSENT = {
    suffix: "pillow-heif: pip install 'heap[heic]'"
    for suffix in (".heic", ".heif", ".hif")
    if "HEIF" not in FORMATS
}
"""Suffixes of formats whose library is not installed, with what to do."""

_VARIANTS = ("MPO",)
"""Formats that Pillow opens by way of another: several JPEGs in one file, by JPEG."""
_BY_NAME = ("TGA",)
"""Formats without a mark at their beginning: other files could be taken for them."""


def formats_of(name: str) -> tuple[str, ...]:
    """Formats that a file of this name may have; its suffix counts only where there is no mark."""
    kind = Image.registered_extensions().get(PurePosixPath(name).suffix.lower())
    return (*FORMATS, kind) if kind in _BY_NAME else FORMATS


@cache
def suffixes() -> frozenset[str]:
    """File name suffixes of all formats that are read, lower case, with the dot."""
    known = Image.registered_extensions()
    read = FORMATS + _VARIANTS + _BY_NAME
    return frozenset(suffix for suffix, name in known.items() if name in read)

"""Images listed, decoded safely to upright RGB, and mapped from the model's grid to pixels."""

from heap.base.errors import ImageError
from heap.images.decode import Limits, Picture, decode, decode_bytes
from heap.images.formats import FORMATS
from heap.images.geometry import Geometry
from heap.images.listing import list_images
from heap.images.source import Source

__all__ = [
    "FORMATS",
    "Geometry",
    "ImageError",
    "Limits",
    "Picture",
    "Source",
    "decode",
    "decode_bytes",
    "list_images",
]

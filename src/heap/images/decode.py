"""Decoding of any image to upright RGB, and refusal of damaged and absurd ones."""

import hashlib
import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from heap.base.deadline import run_within
from heap.base.errors import ImageError
from heap.base.timing import timed
from heap.images import process
from heap.images.colour import to_rgb
from heap.images.deep import Again
from heap.images.formats import FORMATS, formats_of
from heap.images.memory import DECODING, bytes_needed
from heap.images.process import Decoded
from heap.images.source import BYTE_LIMIT, STANDARD_INPUT, Source, reason_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Keys are EXIF orientations; 1 is upright already.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = (5, 6, 7, 8)
"""Orientations in which width and height are exchanged."""
_PNG_END = b"IEND\xae\x42\x60\x82"
"""Name and checksum of the last chunk, which every complete PNG ends with."""
_PILLOW_WARNINGS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


@dataclass(frozen=True)
class Limits:
    """Limits above which images are refused, and the size down to which large ones are reduced."""

    byte_count: int = BYTE_LIMIT
    """Largest encoded size."""
    pixels: int = 178_000_000
    """Largest product of width and height. Pillow itself stops at twice
    `PIL.Image.MAX_IMAGE_PIXELS`, 178.9 million unless it was changed."""
    side: int = 65_500
    """Longest side in pixels, the limit of libjpeg."""
    aspect: int = 1_000
    """Largest ratio of the longer side to the shorter one."""
    draft_side: int = 1024
    """Least shorter side to which large pictures are reduced, by halves; not smaller than the side
    that the model sees."""
    seconds: float = 60.0
    """Time to read an image, and again to decode it, without the wait for memory."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Picture:
    """Decoded image."""

    key: str
    pixels: UInt8[np.ndarray, "height width 3"]
    """Upright RGB, read-only; 1/2, 1/4 ... of the size below where the original is large."""
    width: int
    height: int
    """Size of the upright original."""
    digest: str
    """SHA-256 of the encoded bytes, in hexadecimal."""
    note: str | None
    """Note of what was left out or made up: "first of 12 frames", "transparency on grey"."""
    profile: bytes = field(default=b"", repr=False)
    """ICC profile of its colours, see `heap.images.colour.to_srgb`; empty if it has none."""


def decode(source: Source, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Read and decode the first frame of an image.

    Pillow's warnings about files are hidden in this process from the first call on.

    Raises:
        ImageError: for anything wrong with the image, at the stage `read`, `open`, `limit` or
            `decode`.
    """
    _hide_warnings()
    # Without a time limit: the command that fills standard input may be slow, or typed by a person.
    if source.location == STANDARD_INPUT:
        return _decode(source.key, *_begin(source, limits), limits)
    begun = _run_in_time(source.key, "read", limits.seconds, lambda: _begin(source, limits))
    return _decode(source.key, *begun, limits)


def read(source: Source, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Read an encoded image, as `decode` does.

    Raises:
        ImageError: if it cannot be read, at the stage `read`.
    """
    if source.location == STANDARD_INPUT:
        return _read(source, limits)
    return _run_in_time(source.key, "read", limits.seconds, lambda: _read(source, limits))


def decode_bytes(key: str, data: bytes, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Decode the first frame of an image that has been read, as `decode` does.

    Raises:
        ImageError: for anything wrong with the image, at the stage `open`, `limit` or `decode`.
    """
    _hide_warnings()
    image, frames = _run_in_time(key, "open", limits.seconds, lambda: _open(key, data))
    return _decode(key, data, image, frames, limits)


def picture_from(
    key: str,
    rgb: Image.Image,
    note: str | None,
    profile: bytes = b"",
    limits: Limits = DEFAULT_LIMITS,
) -> Picture:
    """Picture of upright RGB that is in memory already; its digest is that of the pixels.

    Raises:
        ImageError: if it is too large, at the stage `limit`.
    """
    _check_size(key, rgb.size, limits)
    width, height = rgb.size
    digest = hashlib.sha256(f"RGB {width} {height} ".encode() + rgb.tobytes()).hexdigest()
    factor = _reduction(rgb.size, limits.draft_side)
    pixels = np.asarray(rgb.reduce(factor) if factor > 1 else rgb)
    return Picture(key, pixels, width, height, digest, note, profile)


def _decode(key: str, data: bytes, image: ImageFile, frames: int, limits: Limits) -> Picture:
    size = image.size
    # From the header alone, before any pixel takes memory.
    _check_size(key, size, limits)
    with at_stage(key, "decode"):
        _draft(image, limits.draft_side)
    work = partial(_to_upright_rgb, image, lambda: _open_image(data, key), limits.draft_side)
    if image.format in process.FORMATS:
        work = partial(process.decode_in_process, data, limits.draft_side, limits.seconds)
    with DECODING.hold(bytes_needed(image)):
        pixels, turned, colour_note = _run_in_time(key, "decode", limits.seconds, work)
    width, height = reversed(size) if turned else size
    with timed("decode"):
        digest = hashlib.sha256(data).hexdigest()
    notes = [f"first of {frames} frames" if frames > 1 else None, colour_note]
    return Picture(
        key,
        pixels,
        width,
        height,
        digest,
        "; ".join(filter(None, notes)) or None,
        profile_of(image),
    )


def _begin(source: Source, limits: Limits) -> tuple[bytes, ImageFile, int]:
    """Encoded bytes, the opened image, and its number of frames."""
    data = _read(source, limits)
    return data, *_open(source.key, data)


def _read(source: Source, limits: Limits) -> bytes:
    with at_stage(source.key, "read"):
        return source.read(limits.byte_count)


def _open(key: str, data: bytes) -> tuple[ImageFile, int]:
    """Open an image; returns it with its number of frames or pages."""
    with at_stage(key, "open"):
        if not data:
            raise ImageError(key, "open", "the file is empty")
        image = _open_image(data, key)
        if image.format == "PNG":
            # Decoding looks neither at the checksums nor for the end. After `verify` an image
            # cannot be decoded any more, so it is opened again.
            image.verify()
            if _PNG_END not in data:
                raise ValueError("the end of the file is missing")
            image = _open_image(data, key)
        return image, getattr(image, "n_frames", 1)


def _open_image(data: bytes, key: str = "") -> ImageFile:
    return Image.open(io.BytesIO(data), formats=formats_of(key))


def _draft(image: ImageFile, draft_side: int) -> None:
    """Make a JPEG decode at 1/2, 1/4 or 1/8; other formats ignore this."""
    factor = _reduction(image.size, draft_side)
    image.draft(None, (image.width // factor, image.height // factor))


def upright_rgb(data: bytes, draft_side: int) -> Decoded:
    """Decode an image that can be opened, in this process and for as long as it takes."""
    _hide_warnings()
    return _to_upright_rgb(_open_image(data), lambda: _open_image(data), draft_side)


def _to_upright_rgb(image: ImageFile, again: Again, draft_side: int) -> Decoded:
    """Decode; returns also whether the picture lay on its side, and a note about its colours."""
    rgb, note = to_rgb(image, again)
    # Asked for after loading: Pillow turns a TIFF upright then, and removes its orientation.
    orientation = _orientation(image)
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    factor = _reduction(rgb.size, draft_side)
    rgb = rgb.reduce(factor) if factor > 1 else rgb
    return np.asarray(rgb), orientation in _ON_ITS_SIDE, note


def _reduction(size: tuple[int, int], draft_side: int) -> int:
    """Largest power of two by which the shorter side stays at least `draft_side`."""
    # 2^floor(log2(n)) in whole numbers.
    return 1 << max(1, min(size) // draft_side).bit_length() - 1


def _orientation(image: Image.Image) -> int:
    """Orientation from EXIF or XMP, 1 to 8; damaged metadata does not make an image unusable."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception as error:
        logger.debug("orientation unknown: %s", error)
        return 1
    return value if isinstance(value, int) else 1


def profile_of(image: Image.Image) -> bytes:
    """ICC profile, if it is of the colours that were decoded."""
    # Other modes were converted to RGB by fixed formulas; a profile of CMYK, say, does not fit.
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
    return profile if isinstance(profile, bytes) else b""


def _check_size(key: str, size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    short, long = sorted(size)
    if width * height > limits.pixels:
        problem = f"more than {limits.pixels} pixels"
    elif long > limits.side:
        problem = f"a side longer than {limits.side} pixels"
    elif long > limits.aspect * short:
        problem = f"one side more than {limits.aspect} times the other"
    else:
        return
    raise ImageError(key, "limit", f"{width}x{height} is {problem}")


def _run_in_time(key: str, stage: str, seconds: float, work: Callable[[], T]) -> T:
    with at_stage(key, stage):
        try:
            return run_within(seconds, timed("decode")(work))
        except TimeoutError as error:
            reason = f"{reason_of(error)}; --timeout gives it more"
            raise ImageError(key, stage, reason) from error


@contextmanager
def at_stage(key: str, stage: str) -> Iterator[None]:
    """Turn any error in the block into an error of the image at this stage."""
    # Decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError,
    # OverflowError, MemoryError, AssertionError ... for damaged files: there is no complete list.
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        reason = f"not an image, or not one of {', '.join(FORMATS)}"
        raise ImageError(key, stage, reason) from error
    except Image.DecompressionBombError as error:
        raise ImageError(key, "limit", reason_of(error)) from error
    except Exception as error:
        raise ImageError(key, stage, reason_of(error)) from error


def _hide_warnings() -> None:
    # One lasting filter, because `warnings.catch_warnings` around each image is not safe in
    # threads; set again only where it was undone, because each change resets what was shown once.
    if next(iter(warnings.filters), None) != _PILLOW_WARNINGS:
        warnings.filterwarnings("ignore", module=_PILLOW_WARNINGS[3].pattern)

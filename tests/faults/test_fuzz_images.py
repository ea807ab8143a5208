"""Mutated bytes of images of every format: a whole picture, or an error with a reason."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import SEEDS, mutated, tries
from hypothesis import example, given
from PIL import Image

from heap.base.errors import ImageError
from heap.images import Limits, Picture
from heap.images.decode import decode_bytes
from heap.images.formats import FORMATS

PHOTO = Path(__file__).parents[2] / "demo" / "photos" / "cat.jpg"
SLOW = 20.0
"""Seconds that no picture of this size may take, whatever became of its bytes."""
LIMITS = Limits(seconds=SLOW, pixels=4_000_000)


def saved(format: str, mode: str = "RGB", frames: int = 1, **options: Any) -> bytes:
    """A piece of the photo with the face of the cat, as a file."""
    with Image.open(PHOTO) as photo:
        left, top = photo.width // 3, photo.height // 4
        piece = photo.crop((left, top, left + 96, top + 72)).convert("RGB")
    pictures = [piece.rotate(7 * turn) for turn in range(frames)]
    if mode == "I;16":
        grey = np.asarray(piece.convert("L")).astype(np.uint16) * 257
        pictures = [Image.fromarray(grey)]
    elif mode == "F":
        pictures = [Image.fromarray(np.float32(np.asarray(piece.convert("L"))) / 255)]
    else:
        pictures = [picture.convert(mode) for picture in pictures]
    if frames > 1:
        options |= {"save_all": True, "append_images": pictures[1:]}
    file = io.BytesIO()
    pictures[0].save(file, format, **options)
    return file.getvalue()


def upright() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved("JPEG", exif=upright(), quality=80),
    "jpeg progressive": lambda: saved("JPEG", progressive=True),
    "jpeg cmyk": lambda: saved("JPEG", "CMYK"),
    "mpo": lambda: saved("MPO", frames=2),
    "png": lambda: saved("PNG"),
    "png palette": lambda: saved("PNG", "P"),
    "png alpha": lambda: saved("PNG", "RGBA"),
    "png deep": lambda: saved("PNG", "I;16"),
    "png animated": lambda: saved("PNG", frames=3),
    "webp": lambda: saved("WEBP"),
    "webp lossless": lambda: saved("WEBP", "RGBA", lossless=True),
    "webp animated": lambda: saved("WEBP", frames=3),
    "tiff": lambda: saved("TIFF"),
    "tiff lzw": lambda: saved("TIFF", compression="tiff_lzw"),
    "tiff jpeg": lambda: saved("TIFF", compression="jpeg"),
    "tiff deep": lambda: saved("TIFF", "I;16", compression="tiff_adobe_deflate"),
    "tiff float": lambda: saved("TIFF", "F"),
    "tiff bits": lambda: saved("TIFF", "1", compression="group4"),
    "bmp": lambda: saved("BMP"),
    "gif": lambda: saved("GIF", frames=3),
    "avif": lambda: saved("AVIF"),
    "jpeg2000": lambda: saved("JPEG2000"),
    "ppm": lambda: saved("PPM"),
    "pgm": lambda: saved("PPM", "L"),
    "tga": lambda: saved("TGA"),
    "tga packed": lambda: saved("TGA", compression="tga_rle"),
    **({"heif": lambda: saved("HEIF")} if "HEIF" in FORMATS else {}),
}
"""A small file of each kind."""
SLOW_TO_START = ("jpeg2000",)
"""Decoded in processes of their own, a few of which are enough."""


def outcome(name: str, data: bytes) -> Picture | None:
    """The picture, which has to be whole, or nothing if it is refused, which has to be explained.

    A decoder must not take as long as it likes.
    """
    decoded = decoded_or_refused(name, data)
    if isinstance(decoded, ImageError):
        assert decoded.stage in ("open", "limit", "decode")
        assert decoded.reason
        assert "\n" not in decoded.reason
        assert "seconds" not in decoded.reason, "it hangs"
        return None
    height, width, channels = decoded.pixels.shape
    assert channels == 3
    assert (decoded.width, decoded.height) == (width, height), "it is small: never reduced"
    assert decoded.digest == hashlib.sha256(data).hexdigest()
    return decoded


def decoded_or_refused(name: str, data: bytes) -> Picture | ImageError:
    try:
        return decode_bytes(name, data, LIMITS)
    except ImageError as error:
        return error


@pytest.mark.parametrize("kind", FILES)
def test_mutated_bytes_are_a_picture_or_refused(kind: str) -> None:
    data, name = FILES[kind](), f"a.{kind.split()[0]}"
    assert outcome(name, data) is not None
    slow = kind in SLOW_TO_START

    @given(seed=SEEDS)
    @example(seed=0)
    @tries(1 if slow else 8)
    def check(seed: int) -> None:
        other = mutated(data, np.random.default_rng(seed))
        picture = outcome(name, other)
        if picture is not None and not slow:
            again = outcome(name, other)
            assert again is not None
            assert np.array_equal(picture.pixels, again.pixels), "memory that nobody has written"

    check()


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind.startswith("png")])
def test_a_png_with_flipped_bits_is_never_another_picture(kind: str) -> None:
    data = FILES[kind]()
    whole = outcome("a.png", data)
    assert whole is not None

    @given(seed=SEEDS)
    @tries(4)
    def check(seed: int) -> None:
        draw = np.random.default_rng(seed)
        flipped = bytearray(data)
        for place in draw.integers(0, 8 * len(data), 3):
            flipped[place // 8] ^= 1 << int(place % 8)
        picture = outcome("a.png", bytes(flipped))
        assert picture is None or np.array_equal(picture.pixels, whole.pixels)

    check()

"""Thirty files to run on: the demo photos, some in another guise, and ten bad ones.

The bad ones are made here, so that none has to be kept.
"""

import io
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from benchmarks.common import images_in

PHOTOS = Path("demo/photos")
EXIF_ORIENTATION = 0x0112


def write_folder(folder: Path) -> dict[str, str]:
    """Write the thirty files; returns the kind of each, `good` or what is wrong with it."""
    folder.mkdir(parents=True)
    photos = images_in(PHOTOS)
    kinds = dict.fromkeys((photo.name for photo in photos), "good")
    for photo in photos:
        shutil.copy(photo, folder)
    for name, write in GOOD.items():
        with Image.open(photos[0]) as image:
            write(image, folder / name)
        kinds[name] = "good"
    for name, (kind, make) in BAD.items():
        (folder / name).write_bytes(make(photos[0].read_bytes()))
        kinds[name] = kind
    return kinds


def on_its_side(image: Image.Image, path: Path) -> None:
    """A photo that only its metadata set upright."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)


def as_png(photo: bytes) -> bytes:
    """The photo as PNG."""
    with Image.open(io.BytesIO(photo)) as image:
        encoded = io.BytesIO()
        image.save(encoded, "PNG")
        return encoded.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A small file that unpacks to a black picture of any size."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    line = bytes(1 + (width + 7) // 8)
    pixels = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    parts = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


GOOD: dict[str, Callable[[Image.Image, Path], None]] = {
    "a palette.png": lambda image, path: image.quantize(64).save(path),
    "a webp, in truth.jpg": lambda image, path: image.save(path, "WEBP"),
    "on its side é.jpg": on_its_side,
}
"""Good files beside the photos, by the name and how to write them."""

BAD: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "bad-empty.jpg": ("empty file", lambda _: b""),
    "bad-half.jpg": ("half of a JPEG", lambda photo: photo[: len(photo) // 2]),
    "bad-half.png": ("PNG without its end", lambda photo: as_png(photo)[:-2000]),
    "bad-flipped.png": (
        "PNG with wrong bytes",
        lambda photo: as_png(photo)[:5000] + bytes(64) + as_png(photo)[5064:],
    ),
    "bad-page.jpg": ("web page named .jpg", lambda _: b"<!doctype html><p>Not found"),
    "bad-noise.jpg": ("no image at all", lambda _: bytes(range(256)) * 40),
    "bad-bomb.png": ("tiny file of 225 megapixels", lambda _: huge_png(15_000, 15_000)),
    "bad-strip.png": ("60,000 times as wide as high", lambda _: huge_png(60_000, 1)),
    "bad-script.jpg": ("PostScript named .jpg", lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage\n"),
    "bad-drawing.png": ("SVG named .png", lambda _: b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
}
"""Bad files by name: what is wrong with them, and how to make them from the bytes of a photo."""

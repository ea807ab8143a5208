import hashlib
import io
import pickle
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin
from profiles import swapped_profile
from properties import examples

from heap.images import ImageError, Limits, Picture, Source, decode
from heap.images.colour import to_srgb
from heap.images.process import decode_in_process

PHOTO = Path(__file__).parents[3] / "demo" / "photos" / "astronaut.jpg"
LOSSLESS = [
    ("png", {}), ("webp", {"lossless": True}), ("tiff", {}), ("tiff", {"compression": "tiff_lzw"}),
    ("bmp", {}), ("jpeg2000", {"irreversible": False}), ("ppm", {}),
]  # fmt: skip


def colours(height: int = 24, width: int = 32) -> np.ndarray:
    """A smooth picture in which every quadrant and axis is different."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = x * 255 / (width - 1), y * 255 / (height - 1)
    return np.stack([red, green, 255 - (red + green) / 2], axis=-1).round().astype(np.uint8)


def encoded(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes, **limits: int) -> Picture:
    return decode(Source("key", "memory", lambda: io.BytesIO(data)), Limits(**limits))


def distance(picture: Picture, expected: np.ndarray) -> int:
    return int(np.abs(picture.pixels.astype(int) - expected.astype(int)).max())


def tiff(values: np.ndarray, bits: int, white_is_zero: bool = False, kind: int = 1) -> bytes:
    """A minimal TIFF; `kind` is 1 for unsigned, 2 for signed and 3 for float samples."""
    height, width = values.shape
    body = values.tobytes()
    if bits == 12:
        pairs = values.astype(np.uint32).reshape(-1, 2)
        body = b"".join(int(a << 12 | b).to_bytes(3, "big") for a, b in pairs)
    tags = {
        256: width, 257: height, 258: bits, 259: 1, 262: 0 if white_is_zero else 1,
        273: 8, 277: 1, 278: height, 279: len(body), 339: kind,
    }  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_lossless_formats_give_back_every_pixel(kind: str, options: dict[str, object]) -> None:
    data = encoded(Image.fromarray(colours()), kind, **options)
    picture = decoded(data)
    np.testing.assert_array_equal(picture.pixels, colours())
    assert (picture.key, picture.width, picture.height, picture.note) == ("key", 32, 24, None)
    assert picture.digest == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("kind", ["jpeg", "avif", "webp", "gif"])
def test_lossy_formats_come_close(kind: str) -> None:
    options = {} if kind == "gif" else {"quality": 95}
    picture = decoded(encoded(Image.fromarray(colours(96, 128)), kind, **options))
    assert np.abs(picture.pixels.astype(int) - colours(96, 128)).mean() < 6


@pytest.mark.fault("F07")
@pytest.mark.parametrize(
    "mode",
    [
        *("1", "L", "P", "CMYK"),
        pytest.param(
            "YCbCr",
            marks=pytest.mark.skipif(
                int(PIL.__version__.partition(".")[0]) < 13,
                reason="Pillow 12 does not read what it writes",
            ),
        ),
    ],
)
def test_plain_modes(mode: str) -> None:
    image = Image.fromarray(colours()).convert(mode)
    picture = decoded(encoded(image, "tiff"))
    assert distance(picture, np.asarray(image.convert("RGB"))) <= 2
    assert picture.note is None


@pytest.mark.fault("F07")
def test_cmyk_jpegs_are_not_inverted() -> None:
    # Photoshop's JPEGs hold inverted CMYK; Pillow writes them the same way.
    picture = decoded(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "jpeg", quality=100))
    assert distance(picture, np.full((16, 16, 3), [255, 0, 0])) <= 2


@pytest.mark.fault("F07")
@pytest.mark.parametrize("colour", [(255, 255, 255), (128, 128, 128), (200, 150, 100), (0, 0, 0)])
def test_lab(colour: tuple[int, int, int]) -> None:
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (4, 4), colour),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert lab is not None
    assert distance(decoded(encoded(lab, "tiff")), np.full((4, 4, 3), colour)) <= 2


def test_icc_profiles_are_ignored() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    picture = decoded(encoded(Image.fromarray(colours()), icc_profile=profile))
    np.testing.assert_array_equal(picture.pixels, colours())


def test_a_profile_comes_along_and_shows_the_right_colours() -> None:
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    picture = decoded(encoded(red, icc_profile=swapped_profile()))
    assert (picture.pixels == [255, 0, 0]).all()
    shown = to_srgb(picture.pixels, picture.profile)
    assert np.abs(shown.astype(int) - [0, 255, 0]).max() <= 1
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for useless in (b"", own, b"rubbish", swapped_profile()[:300]):
        assert to_srgb(picture.pixels, useless) is picture.pixels
    assert decoded(encoded(red.convert("L"), icc_profile=own)).profile == b""


@pytest.mark.fault("F07")
@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_transparency_shows_mid_grey_and_is_noted(kind: str) -> None:
    pixels = np.array([[[255, 0, 0, 255], [0, 255, 0, 0], [0, 0, 255, 51]]], dtype=np.uint8)
    options = {"lossless": True, "exact": True} if kind == "webp" else {}
    picture = decoded(encoded(Image.fromarray(pixels), kind, **options))
    # A fifth of blue on four fifths of grey: 0.8 * 128 = 102.4, and 51 more in blue.
    assert distance(picture, np.array([[[255, 0, 0], [128, 128, 128], [102, 102, 153]]])) <= 2
    assert picture.note == "transparency on grey"


def test_opaque_alpha_is_not_noted() -> None:
    assert decoded(encoded(Image.fromarray(colours()).convert("RGBA"))).note is None


def test_grey_with_alpha() -> None:
    grey = np.array([[[200, 255], [200, 0]]], dtype=np.uint8)
    picture = decoded(encoded(Image.fromarray(grey, mode=None).convert("LA")))
    assert distance(picture, np.array([[[200] * 3, [128] * 3]])) <= 2


@pytest.mark.fault("F07")
@pytest.mark.parametrize("transparency", [1, bytes([255, 0])])
def test_palette_with_transparency(transparency: int | bytes) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    picture = decoded(encoded(image, transparency=transparency))
    np.testing.assert_array_equal(picture.pixels, [[[10, 20, 30], [128, 128, 128]]])
    assert picture.note == "transparency on grey"


def test_colour_key_transparency() -> None:
    image = Image.fromarray(np.array([[[9, 9, 9], [1, 2, 3]]], dtype=np.uint8))
    picture = decoded(encoded(image, transparency=(1, 2, 3)))
    np.testing.assert_array_equal(picture.pixels, [[[9, 9, 9], [128, 128, 128]]])


RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.fault("F06")
@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.fromarray(RAMP.astype(np.uint16) * 257), "png"),
        encoded(Image.fromarray(RAMP.astype(np.uint16) * 257), "jpeg2000", irreversible=False),
        b"P5 16 16 65535\n" + (RAMP.astype(">u2") * 257).tobytes(),
        tiff(RAMP.astype("<u2") * 257, 16),
        tiff((255 - RAMP).astype("<u2") * 257, 16, white_is_zero=True),
        tiff(np.rint(RAMP * (4095 / 255)).astype("<u2"), 12),
        tiff(RAMP.astype("<u4"), 32),
        tiff(RAMP.astype("<u4") * 257, 32),
        tiff(RAMP.astype("<i4") * 1000 - 50_000, 32, kind=2),
        tiff((RAMP.astype(np.float32) / 255).astype("<f4"), 32, kind=3),
        tiff(RAMP.astype("<f4"), 32, kind=3),
        tiff(RAMP.astype("<f4") * 1e30 - 9e30, 32, kind=3),
    ],
    ids=[
        "png16", "jp2-16", "pgm16", "tiff16", "tiff16-white-is-zero", "tiff12", "tiff32-of-8-bits",
        "tiff32-of-16-bits", "signed", "float-to-1", "float-to-255", "float-any",
    ],
)  # fmt: skip
def test_deep_greys_are_scaled_and_never_saturate(data: bytes) -> None:
    picture = decoded(data)
    assert distance(picture, np.repeat(RAMP[..., None], 3, axis=-1)) <= 1


def test_stretched_values_are_noted_and_holes_are_black() -> None:
    values = np.array([[-1, 0, 3, np.nan, np.inf, -np.inf]], dtype="<f4")
    picture = decoded(tiff(values, 32, kind=3))
    assert picture.pixels[0, :, 0].tolist() == [0, 64, 255, 0, 255, 0]
    assert picture.note == "values -1 to 3 stretched to 8 bits"
    assert not decoded(tiff(np.full((2, 2), np.nan, "<f4"), 32, kind=3)).pixels.any()
    assert not decoded(tiff(np.full((2, 2), 7.5, "<f4"), 32, kind=3)).pixels.any()


def test_a_decoder_that_holds_python_s_lock_works_where_it_can_be_stopped() -> None:
    data = encoded(Image.fromarray(colours()), "jpeg2000", irreversible=False)
    pixels, turned, note = decode_in_process(data, 1024, 60.0)
    np.testing.assert_array_equal(pixels, colours())
    assert (turned, note) == (False, None)
    with pytest.raises(TimeoutError, match=r"it takes longer than 0\.01 seconds"):
        decode_in_process(data, 1024, 0.01)  # Less than it takes to start.
    with pytest.raises(OSError, match=r"\w"):
        decode_in_process(data[:-40], 1024, 60.0)


@pytest.mark.fault("F08")
@pytest.mark.parametrize(
    ("kind", "options"), [("gif", {}), ("webp", {"lossless": True}), ("png", {}), ("tiff", {})]
)
def test_first_of_several_frames_is_taken_and_noted(kind: str, options: dict[str, bool]) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ["#f00", "#0f0", "#00f"]]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    picture = decoded(data)
    assert distance(picture, np.full((8, 8, 3), [255, 0, 0])) <= 2
    assert picture.note == "first of 3 frames"


def test_several_jpegs_in_one_file() -> None:
    frames = [Image.new("L", (16, 16), value) for value in (50, 200)]
    picture = decoded(encoded(frames[0], "mpo", save_all=True, append_images=frames[1:]))
    assert picture.note == "first of 2 frames"
    assert distance(picture, np.full((16, 16, 3), 50)) <= 2


def test_notes_are_joined() -> None:
    frames = [Image.new("RGBA", (8, 8), (value, 0, 0, 0)) for value in (50, 200)]
    data = encoded(frames[0], "webp", save_all=True, append_images=frames[1:], lossless=True)
    assert decoded(data).note == "first of 2 frames; transparency on grey"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff", "avif"])
def test_orientation_as_pillow_honours_it(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(Image.fromarray(colours(24, 40)), kind, exif=exif)
    picture = decoded(data)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    np.testing.assert_array_equal(picture.pixels, expected)
    size = (40, 24) if orientation < 5 else (24, 40)
    assert (picture.width, picture.height) == size


def test_orientation_in_xmp() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    picture = decoded(encoded(Image.fromarray(colours(24, 40)), pnginfo=info))
    np.testing.assert_array_equal(picture.pixels, np.rot90(colours(24, 40), -1))


@pytest.mark.parametrize("value", [b"Exif\0\0rubbish", b"Exif\0\0II*\0\xff\xff\xff\xff", b""])
def test_damaged_metadata_does_not_matter(value: bytes) -> None:
    picture = decoded(encoded(Image.fromarray(colours()), exif=value))
    np.testing.assert_array_equal(picture.pixels, colours())


@pytest.mark.fault("F10")
@pytest.mark.parametrize(("kind", "orientation"), [("jpeg", 1), ("jpeg", 6), ("png", 6)])
def test_large_pictures_are_halved_while_the_shorter_side_stays_long_enough(
    kind: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    source = Image.fromarray(colours(401, 603))
    picture = decoded(encoded(source, kind, exif=exif, **_best(kind)), draft_side=100)
    upright = source if orientation == 1 else source.transpose(Image.Transpose.ROTATE_270)
    assert (picture.width, picture.height) == upright.size
    # 401 / 100 = 4.01, so a quarter, rounded up.
    assert picture.pixels.shape[:2] == tuple(-(-side // 4) for side in reversed(upright.size))
    assert distance(picture, np.asarray(upright.reduce(4))) <= 6


def _best(kind: str) -> dict[str, int]:
    return {"quality": 100, "subsampling": 0} if kind == "jpeg" else {}


def test_reduction_goes_beyond_what_jpeg_offers() -> None:
    picture = decoded(encoded(Image.fromarray(colours(640, 640)), "jpeg"), draft_side=40)
    assert picture.pixels.shape == (40, 40, 3)


@pytest.mark.parametrize(
    ("size", "limits", "reason"),
    [
        ((30, 20), {"pixels": 599}, "30x20 is more than 599 pixels"),
        ((30, 20), {"side": 29}, "30x20 is a side longer than 29 pixels"),
        ((3, 30), {"aspect": 9}, "3x30 is one side more than 9 times the other"),
    ],
)
def test_limits(size: tuple[int, int], limits: dict[str, int], reason: str) -> None:
    data = encoded(Image.new("RGB", size))
    ((name, value),) = limits.items()
    assert decoded(data, **{name: value + 1}).width == size[0]
    with pytest.raises(ImageError, match=reason) as caught:
        decoded(data, **limits)
    assert (caught.value.key, caught.value.stage) == ("key", "limit")


def test_byte_limit_is_a_matter_of_reading() -> None:
    with pytest.raises(ImageError, match="larger than the limit of 50 bytes") as caught:
        decoded(encoded(Image.new("L", (9, 9))), byte_count=50)
    assert caught.value.stage == "read"


def test_errors_survive_pickling() -> None:
    error = ImageError("a/b.jpg", "open", "the file is empty")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (copy.key, copy.stage, copy.reason) == ("a/b.jpg", "open", "the file is empty")
    assert str(copy) == str(error) == "a/b.jpg: the file is empty (at stage 'open')"


def test_no_warning_escapes_not_even_in_threads() -> None:
    # Pillow starts to warn at 90 megapixels, and of tags with too many values.
    large = encoded(Image.new("1", (10_000, 9_000)))
    one, two = struct.pack("<HHI", 278, 4, 1), struct.pack("<HHI", 278, 3, 2)
    odd = tiff(RAMP, 8).replace(one, two)
    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("always")
        outcomes = list(pool.map(_outcome, [large, odd, odd, large]))
        warnings.warn("ours", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["ours"]
    assert outcomes == ["(1125, 1250, 3)", "(16, 16, 3)", "(16, 16, 3)", "(1125, 1250, 3)"]


def _outcome(data: bytes) -> str:
    try:
        return str(decoded(data).pixels.shape)
    except ImageError as error:
        if isinstance(error.__cause__, TypeCheckError):  # a fault of ours, not of the file
            raise
        return f"{error.stage}: {error.reason}"


SAMPLES = [
    encoded(Image.fromarray(colours()), kind)
    for kind in ["jpeg", "png", "webp", "tiff", "bmp", "gif", "avif", "jpeg2000", "ppm"]
] + [encoded(Image.fromarray(colours()), "tiff", compression="tiff_lzw")]


@settings(max_examples=examples(300))
@given(st.sampled_from(SAMPLES), st.data())
def test_damaged_bytes_raise_nothing_but_image_errors(sample: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(sample)
    for _ in range(draw.draw(st.integers(1, 6))):
        damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(0, len(damaged)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _outcome(bytes(damaged if draw.draw(st.booleans()) else damaged[:cut]))
    assert not caught


def test_photo() -> None:
    picture = decode(Source("astronaut.jpg", str(PHOTO)))
    with Image.open(PHOTO) as expected:
        np.testing.assert_array_equal(picture.pixels, np.asarray(expected.convert("RGB")))


def png16(values: np.ndarray) -> bytes:
    """A PNG of 16 bits: grey, grey and alpha, RGB or RGBA; Pillow writes none but the first."""
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[values.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def tiff16(values: np.ndarray, stated: tuple[int, int] | None = None, order: str = "<") -> bytes:
    """A TIFF of RGB in 16 bits, or of grey, with SMinSampleValue and SMaxSampleValue if wanted."""
    height, width, bands = values.shape
    body = values.astype(f"{order}u2").tobytes()
    bits, at = struct.pack(f"{order}3H", 16, 16, 16), 8 + len(body)
    tags = {
        256: (4, 1, width), 257: (4, 1, height),
        258: (3, 3, at) if bands == 3 else (4, 1, 16), 259: (4, 1, 1),
        262: (4, 1, 2 if bands == 3 else 1), 273: (4, 1, 8), 277: (4, 1, bands),
        278: (4, 1, height), 279: (4, 1, len(body)),
        **({340: (4, 1, stated[0]), 341: (4, 1, stated[1])} if stated else {}),
    }  # fmt: skip
    entries = b"".join(struct.pack(f"{order}HHII", tag, *rest) for tag, rest in tags.items())
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    magic = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at + len(bits))
    return magic + body + bits + directory


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("kind", ["png-grey", "png", "tiff", "tiff-big-endian", "tiff-grey"])
def test_sensor_data_in_16_bits_is_as_bright_as_its_photo(kind: str, bits: int) -> None:
    expected = colours() if "grey" not in kind else np.repeat(colours()[..., :1], 3, axis=-1)
    values = expected.astype(np.uint32) * (2**bits - 1) // 255
    stored = values[..., :1] if "grey" in kind else values
    order = ">" if kind == "tiff-big-endian" else "<"
    data = png16(stored) if kind.startswith("png") else tiff16(stored, order=order)
    picture = decoded(data)
    assert distance(picture, expected) <= 1
    assert picture.note == f"values 0 to {2**bits - 1} stretched to 8 bits"


def test_sensor_data_with_alpha_keeps_it() -> None:
    colour = colours().astype(np.uint16) * 16
    alpha = np.full((*colour.shape[:2], 1), 65535, np.uint16)
    alpha[:, :4] = 0
    for shown in (colour, colour[..., :1]):
        picture = decoded(png16(np.concatenate([shown, alpha], axis=-1)))
        assert (picture.pixels[:, :4] == 128).all()
        assert distance(picture, picture.pixels) == 0
        assert np.abs(picture.pixels[:, 4:].astype(int) - shown[:, 4:] // 16).max() <= 1
        assert picture.note == "values 0 to 4080 stretched to 8 bits; transparency on grey"


@pytest.mark.parametrize("bands", [1, 3])
def test_what_a_tiff_says_of_its_range_goes_before_what_is_seen(bands: int) -> None:
    values = np.full((4, 8, bands), 100 + 200, np.uint16)
    values[:2] = 100 + 50
    picture = decoded(tiff16(values, (100, 100 + 1000)))
    assert sorted(np.unique(picture.pixels)) == [13, 51]  # 50 and 200 of 1000, of 255
    assert picture.note == "values 100 to 1100 stretched to 8 bits"
    full = decoded(tiff16(values, (0, 65535)))
    assert (full.pixels <= 1).all()
    assert full.note is None


@pytest.mark.parametrize("bands", [1, 3])
def test_values_that_use_16_bits_are_left_as_they_are(bands: int) -> None:
    values = np.linspace(2000, 20_000, 600).astype(np.uint16).reshape(20, 30, 1).repeat(bands, -1)
    for data in (png16(values), tiff16(values)):
        picture = decoded(data)
        assert distance(picture, (values / 257).round().repeat(3 // bands, -1)) <= 1
        assert picture.note is None


def test_a_hot_pixel_does_not_make_sensor_data_dark() -> None:
    values = np.tile(np.arange(4096, dtype=np.uint16), 2).reshape(64, 128, 1)
    values[7, 7] = 65535
    picture = decoded(png16(values))
    assert picture.note == "values 4 to 4092 stretched to 8 bits"
    assert (picture.pixels.min(), picture.pixels.max()) == (0, 255)
    assert abs(int(picture.pixels[16, 0, 0]) - 128) <= 1  # 2048 of 4096


def test_16_bits_of_one_value_are_not_stretched() -> None:
    for bands in (1, 3):
        picture = decoded(png16(np.full((4, 4, bands), 512, np.uint16)))
        assert (picture.pixels == 2).all()
        assert picture.note is None


def test_heic_is_read_where_its_library_is_installed(tmp_path: Path) -> None:
    path = tmp_path / "IMG_1.HEIC"
    Image.fromarray(colours()).save(path, "HEIF", quality=100, chroma=444)
    assert distance(decode(Source("IMG_1.HEIC", str(path))), colours()) <= 4


def test_tga_is_read_by_its_name_only(tmp_path: Path) -> None:
    path = tmp_path / "a.TGA"
    Image.fromarray(colours()).save(path, "TGA")
    assert distance(decode(Source("a.TGA", str(path))), colours()) == 0
    with pytest.raises(ImageError, match="not an image, or not one of"):
        decode(Source("a.jpg", str(path)))


def test_without_the_library_of_a_format_the_listing_says_what_to_install(tmp_path: Path) -> None:
    for name in ("a.png", "b.heic"):
        (tmp_path / name).touch()
    script = f"""
import sys
sys.modules["pillow_heif"] = None
from heap.images import list_images
images = list_images({str(tmp_path)!r})
print([image.key for image in images], images.skipped)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    advice = "1 .heic, which needs pillow-heif: pip install 'heap[heic]'"
    assert done.stdout.strip() == f"['a.png'] {advice}"

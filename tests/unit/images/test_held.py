"""Images that a program holds: one photo in many forms is one picture, and odd ones are refused."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from heap.base.errors import ImageError, InputError
from heap.images.held import is_single, to_picture, to_pictures
from heap.images.named import to_named

COLOURS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
PNG = io.BytesIO()
Image.fromarray(COLOURS).save(PNG, "PNG")
ENCODED = PNG.getvalue()

FORMS: dict[str, Callable[[], Any]] = {
    "array": lambda: COLOURS,
    "view of OpenCV's order": lambda: np.ascontiguousarray(COLOURS[..., ::-1])[..., ::-1],
    "floats": lambda: COLOURS / 255,
    "half floats": lambda: torch.from_numpy(COLOURS / 255).to(torch.float16).numpy(),
    "opaque RGBA": lambda: np.dstack([COLOURS, np.full((6, 8), 255, dtype=np.uint8)]),
    "16 bits": lambda: COLOURS.astype(np.uint16) * 257,
    "tensor, channels first": lambda: torch.from_numpy(COLOURS).permute(2, 0, 1),
    "tensor, channels behind": lambda: torch.from_numpy(COLOURS),
    "tensor of floats with a gradient": lambda: torch.from_numpy(
        COLOURS.transpose(2, 0, 1) / 255
    ).requires_grad_(),
    "Pillow": lambda: Image.fromarray(COLOURS),
    "bytes": lambda: ENCODED,
    "memory": lambda: memoryview(ENCODED),
    "file": lambda: io.BytesIO(ENCODED),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_photo_is_the_same_in_every_form(form: str) -> None:
    image = FORMS[form]()
    assert is_single(image)
    picture = to_picture(image)
    assert np.array_equal(picture.pixels, COLOURS)
    assert (picture.key, picture.width, picture.height) == ("image", 8, 6)
    assert picture.note is None


def test_a_path_has_its_own_name_unless_there_is_another(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(ENCODED)
    for place in (path, str(path), path.as_uri()):
        assert to_picture(place).key == "cat.png"
        assert to_picture(place, "other").key == "other"
        assert np.array_equal(to_picture(place, "other").pixels, COLOURS)
    (tmp_path / "dog.png").write_bytes(ENCODED)
    with pytest.raises(InputError, match="holds several images"):
        to_picture(tmp_path)


def test_grey_and_transparent_ones_are_pictures_too() -> None:
    grey = COLOURS[..., 0]
    for image in (grey, grey[..., None], torch.from_numpy(grey)[None], Image.fromarray(grey)):
        assert np.array_equal(to_picture(image).pixels, np.dstack([grey] * 3))
    clear = np.zeros((4, 5, 4), dtype=np.uint8)
    for form in (clear, clear.astype(np.uint16), Image.fromarray(clear)):
        picture = to_picture(form)
        assert (picture.pixels == 128).all()
        assert picture.note is not None
        assert "transparency on grey" in picture.note


def test_sensor_data_of_few_bits_is_stretched_and_said_so() -> None:
    ramp = np.linspace(100, 900, 48).round().astype(np.uint16).reshape(6, 8)
    picture = to_picture(ramp)
    assert (picture.pixels.min(), picture.pixels.max()) == (0, 255)
    assert picture.note == "values 100 to 900 stretched to 8 bits"


def test_a_photo_on_its_side_is_turned() -> None:
    photo = Image.fromarray(COLOURS)
    photo.getexif()[ExifTags.Base.Orientation] = 6
    assert np.array_equal(to_picture(photo).pixels, np.rot90(COLOURS, -1))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((3, 6, 8), dtype=np.uint8), r"shape \(3, 6, 8\).*transpose\(1, 2, 0\)"),
        (np.zeros((6, 8, 2), dtype=np.uint8), "with 1, 3 or 4 channels"),
        (np.zeros((0, 8, 3), dtype=np.uint8), r"shape \(0, 8, 3\)"),
        (np.zeros(5, dtype=np.uint8), r"shape \(5,\)"),
        (np.zeros((6, 8, 3), dtype=np.int64), "holds int64; convert it to uint8"),
        (np.full((6, 8), 3.5), "floats from 3.5 to 3.5; scale them to 0 to 1"),
        (np.full((6, 8), np.nan), "floats from nan to nan"),
        (7, "is of type int"),
        ({"image": COLOURS}, "is of type dict"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused_with_what_to_do(image: Any, words: str) -> None:
    with pytest.raises(InputError, match=f"photo.*{words}"):
        to_picture(image, "photo")


def test_damaged_bytes_and_endless_strips_are_errors_of_the_image() -> None:
    with pytest.raises(ImageError, match=r"x\.jpg.*not an image"):
        to_picture(b"no image", "x.jpg")
    with pytest.raises(ImageError, match="5000x1 is one side more than 1000 times the other"):
        to_picture(np.zeros((1, 5000), dtype=np.uint8))


def test_a_pillow_image_that_is_damaged_is_an_error_of_the_image() -> None:
    half = Image.open(io.BytesIO(ENCODED[: len(ENCODED) // 2]))
    with pytest.raises(ImageError, match=r"half: .*truncated \(at stage 'decode'\)"):
        to_picture(half, "half")
    named = to_named(("half", Image.open(io.BytesIO(ENCODED[: len(ENCODED) // 2]))))
    with pytest.raises(InputError, match="truncated"):
        named.source.read()


def test_a_file_that_was_closed_is_an_error_of_the_image() -> None:
    file = io.BytesIO(ENCODED)
    file.close()
    with pytest.raises(ImageError, match=r"shut: .*closed file.* \(at stage 'read'\)"):
        to_picture(file, "shut")


def test_a_pillow_image_of_16_bits_has_the_tags_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "white-is-zero.tif"
    ramp = np.linspace(0, 65_535, 48).astype(np.uint16).reshape(6, 8)
    Image.fromarray(ramp).save(path, tiffinfo={ExifTags.Base.PhotometricInterpretation: 0})
    with Image.open(path) as image:
        held = to_picture(image)
    assert held.pixels[0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(held.pixels, to_picture(path).pixels)


def test_large_arrays_are_reduced_as_files_are() -> None:
    picture = to_picture(np.zeros((2100, 2400, 3), dtype=np.uint8))
    assert picture.pixels.shape == (1050, 1200, 3)
    assert (picture.width, picture.height) == (2400, 2100)


def test_several_have_numbers_or_names() -> None:
    assert not is_single([COLOURS])
    assert not is_single(np.stack([COLOURS, COLOURS]))
    assert not is_single(iter([COLOURS]))
    assert [picture.key for picture in to_pictures([COLOURS] * 2)] == ["image-0", "image-1"]
    named = to_pictures([COLOURS] * 2, ["a", "b"])
    assert [picture.key for picture in named] == ["a", "b"]
    with pytest.raises(InputError, match="more images than names, which are 1"):
        list(to_pictures([COLOURS] * 2, iter(["a"])))
    for names in (["a"], ["a", "b", "c"]):
        with pytest.raises(InputError, match=f"there are 2 images and {len(names)} names"):
            next(to_pictures([COLOURS] * 2, names))

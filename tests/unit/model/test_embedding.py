import numpy as np
import pytest
import torch
from PIL import Image

from heap.base.errors import InputError
from heap.encoder.base import Encoder
from heap.images import Picture
from heap.model.embedding import embed, whole_box
from heap.model.heap import Heap


@pytest.fixture
def encoder(heap: Heap) -> Encoder:
    return heap.encoder


def says(encoder: Encoder, pixels: np.ndarray) -> np.ndarray:
    """What the encoder makes of one image, resized here."""
    resized = Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC)
    colours = torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None] / 255
    return np.asarray(encoder.embed(colours)[0])


def test_it_is_what_the_encoder_says_of_the_pixels_in_the_box(
    encoder: Encoder, pictures: list[Picture]
) -> None:
    first, second = pictures[:2]
    boxes = [(first, (4.0, 8.0, 40.0, 50.0)), (second, (10.6, 0.0, 30.2, 20.0))]
    found = embed(encoder, boxes, 48)
    assert found.shape == (2, encoder.embedding_dim)
    wanted = [
        says(encoder, first.pixels[8:50, 4:40]),
        says(encoder, second.pixels[:20, 10:31]),  # Every pixel that it touches.
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_what_lies_outside_of_the_picture_is_left_out(
    encoder: Encoder, pictures: list[Picture]
) -> None:
    picture = pictures[0]
    whole = (0.0, 0.0, float(picture.width), float(picture.height))
    beyond = (-1e308, -5.0, picture.width + 1.0, 1e308)
    found = embed(encoder, [(picture, whole), (picture, beyond)], 48)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_a_picture_that_was_decoded_smaller_has_the_same_boxes(
    encoder: Encoder, pictures: list[Picture]
) -> None:
    half = pictures[0]
    large = Picture(half.key, half.pixels, 2 * half.width, 2 * half.height, "", None)
    found = embed(encoder, [(half, (4.0, 8.0, 40.0, 50.0)), (large, (8.0, 16.0, 80.0, 100.0))], 48)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_how_many_go_through_together_does_not_matter(
    encoder: Encoder, pictures: list[Picture]
) -> None:
    crops = [(picture, (0.0, 0.0, 30.0, 40.0)) for picture in pictures[:5]]
    together, alone = (embed(encoder, crops, 48, batch) for batch in (5, 1))
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_nothing_has_no_embedding_of_the_same_width(encoder: Encoder) -> None:
    assert embed(encoder, [], 48).shape == (0, encoder.embedding_dim)


@pytest.mark.parametrize(
    "box",
    [
        (5.0, 5.0, 5.0, 9.0),
        (9.0, 5.0, 5.0, 9.0),
        (5.0, 7.0, 9.0, 7.0),
        (-9.0, 0.0, 0.0, 9.0),
        (999.0, 0.0, 1e3, 9.0),
        (0.0, float("nan"), 9.0, 9.0),
    ],
)
def test_a_box_with_nothing_in_it(
    encoder: Encoder, pictures: list[Picture], box: tuple[float, ...]
) -> None:
    with pytest.raises(InputError, match=r"nothing of .* in the box .* x1, y1, x2, y2"):
        embed(encoder, [(pictures[0], box)], 48)


def test_crops_that_do_not_fit_into_memory_go_through_in_parts(
    encoder: Encoder, pictures: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = [(picture, whole_box(picture)) for picture in pictures[:5]]
    expected, right = embed(encoder, crops, 48), encoder.embed

    def scarce(pixels: torch.Tensor) -> torch.Tensor:
        if len(pixels) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return right(pixels)

    monkeypatch.setattr(encoder, "embed", scarce)
    np.testing.assert_allclose(embed(encoder, crops, 48), expected, rtol=1e-4, atol=1e-5)

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from heap.masks.scaling import thumbnail
from heap.report.tiles import TILE_SIDE, square_around, tile

EDGES = st.floats(0, 1)
SIDES = st.integers(1, 3000)


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((40.0, 30.0, 60.0, 40.0), (38.0, 23.0, 24.0)),  # a tenth of 20 on each side
        ((0.0, 0.0, 20.0, 20.0), (0.0, 0.0, 24.0)),  # moved into the image
        ((80.0, 40.0, 100.0, 60.0), (76.0, 36.0, 24.0)),
        ((10.0, 20.0, 90.0, 40.0), (20.0, 0.0, 60.0)),  # as large as the image allows
        ((50.0, 30.0, 51.0, 31.0), (50.5 - 25 / 6, 30.5 - 25 / 6, 25 / 3)),  # not only blur
    ],
)
def test_squares_by_hand(
    box: tuple[float, float, float, float], square: tuple[float, float, float]
) -> None:
    assert square_around(box, (100, 60)) == pytest.approx(square)


@given(SIDES, SIDES, EDGES, EDGES, EDGES, EDGES)
def test_a_square_is_in_the_image_and_has_the_middle_of_the_box(
    width: int, height: int, x1: float, y1: float, x2: float, y2: float
) -> None:
    left, right = sorted((x1 * width, x2 * width))
    above, below = sorted((y1 * height, y2 * height))
    x, y, side = square_around((left, above, right, below), (width, height))
    slack = 1e-6 * max(width, height)
    assert 0 <= x <= x + side <= width + slack
    assert 0 <= y <= y + side <= height + slack
    assert x - slack <= (left + right) / 2 <= x + side + slack
    assert y - slack <= (above + below) / 2 <= y + side + slack
    if max(right - left, below - above) * 1.2 <= min(width, height):
        assert x - slack <= left <= right <= x + side + slack
        assert y - slack <= above <= below <= y + side + slack


def test_a_tile_shows_what_is_in_the_box() -> None:
    pixels = np.full((600, 900, 3), 40, dtype=np.uint8)
    pixels[100:200, 300:400] = (250, 30, 30)
    box = np.array([300, 100, 400, 200], dtype=np.float32)
    with Image.open(BytesIO(tile(thumbnail(pixels), box, (900, 600)))) as image:
        assert (image.format, image.size) == ("JPEG", (TILE_SIDE, TILE_SIDE))
        shown = np.asarray(image.convert("RGB")).astype(int)
    # 100 of 120 pixels of the original are the box.
    edge = TILE_SIDE // 12
    inside = shown[edge + 6 : -edge - 6, edge + 6 : -edge - 6]
    assert abs(inside - (250, 30, 30)).max() < 40
    assert abs(shown[: edge - 6] - 40).max() < 40
    assert abs(shown[:, -edge + 6 :] - 40).max() < 40


def test_the_side_can_be_chosen_and_nothing_gives_nothing() -> None:
    photo = thumbnail(np.zeros((20, 30, 3), dtype=np.uint8))
    with Image.open(BytesIO(tile(photo, (3.0, 4.0, 9.0, 9.0), (30, 20), 64))) as image:
        assert image.size == (64, 64)
    assert tile(b"", (3.0, 4.0, 9.0, 9.0), (30, 20)) == b""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from heap.images import Geometry

sides = st.integers(1, 20_000)
patches = st.sampled_from([8, 14, 16])
resolutions = st.integers(64, 1024)
points = st.lists(
    st.tuples(st.floats(0, 20_000, width=32), st.floats(0, 20_000, width=32)), min_size=1
).map(lambda pairs: np.array(pairs, dtype=np.float64))


def test_area_of_the_square_and_ratio_of_the_image() -> None:
    # 640x480 at 448: sqrt(4/3) * 448 = 517.3 -> 520 and 448 / sqrt(4/3) = 388.0 -> 384 or 392.
    geometry = Geometry.of_area(640, 480, 448, 8)
    assert (geometry.input_width, geometry.input_height) == (520, 384)
    assert geometry.grid == (48, 65)
    assert Geometry.of_area(300, 300, 448, 14).grid == (32, 32)


def test_square_squeezes_whatever_the_ratio() -> None:
    geometry = Geometry.of_square(640, 100, 230, 16)
    assert (geometry.input_width, geometry.input_height, geometry.grid) == (224, 224, (14, 14))


def test_native_rounds_the_sides_and_enlarges_nothing() -> None:
    geometry = Geometry.of_native(500, 333, 1024, 8)
    assert (geometry.input_width, geometry.input_height) == (504, 336)  # 62.5 and 41.6 patches
    assert Geometry.of_native(3, 500, 1024, 8).grid == (63, 1)
    assert Geometry.of_native(4000, 3000, 1024, 8) == Geometry.of_area(4000, 3000, 1024, 8)


@pytest.mark.parametrize(
    ("size", "grid"),
    [((1, 1), (56, 56)), ((1, 500), (1252, 3)), ((7, 7), (56, 56)), ((100_000, 1), (1, 3136))],
)
def test_odd_sizes(size: tuple[int, int], grid: tuple[int, int]) -> None:
    assert Geometry.of_area(*size, 448, 8).grid == grid


@given(sides, sides, resolutions, patches)
def test_patches_are_bounded_whatever_the_ratio(
    width: int, height: int, resolution: int, patch: int
) -> None:
    rows, cols = Geometry.of_area(width, height, resolution, patch).grid
    assert 1 <= rows * cols <= 1.55 * (resolution / patch) ** 2


@given(sides, sides, resolutions, patches)
def test_ratio_is_kept_to_half_a_patch_on_each_side(
    width: int, height: int, resolution: int, patch: int
) -> None:
    geometry = Geometry.of_area(width, height, resolution, patch)
    scale = resolution / np.sqrt(width * height)
    if min(width, height) * scale >= patch:
        assert abs(geometry.input_width - width * scale) <= patch / 2 + 1e-6
        assert abs(geometry.input_height - height * scale) <= patch / 2 + 1e-6


@given(sides, sides, resolutions, patches, points)
def test_cells_are_of_one_size(
    width: int, height: int, resolution: int, patch: int, xy: np.ndarray
) -> None:
    geometry = Geometry.of_area(width, height, resolution, patch)
    rows, cols = geometry.grid
    expected = xy * [width / cols, height / rows]
    np.testing.assert_allclose(geometry.to_pixels(xy), expected, rtol=1e-14)


@given(sides, sides, resolutions, patches)
def test_corners_meet_exactly(width: int, height: int, resolution: int, patch: int) -> None:
    geometry = Geometry.of_area(width, height, resolution, patch)
    rows, cols = geometry.grid
    np.testing.assert_array_equal(
        geometry.to_pixels(np.array([[0.0, 0.0], [cols, rows]])), [[0, 0], [width, height]]
    )
    np.testing.assert_array_equal(geometry.box_of_cells(0, 0, rows, cols), [0, 0, width, height])


def test_cells_become_boxes_in_the_original() -> None:
    geometry = Geometry(width=200, height=50, input_width=32, input_height=16, patch=8)
    # Four columns of 50 pixels, two rows of 25.
    np.testing.assert_array_equal(geometry.box_of_cells(1, 2, 2, 3), [100, 25, 150, 50])
    np.testing.assert_array_equal(geometry.box_of_cells(-1, 3, 2, 9), [150, 0, 200, 50])


def test_points_may_have_any_leading_axes() -> None:
    geometry = Geometry(width=200, height=50, input_width=32, input_height=16, patch=8)
    point = np.array([1.5, 0.5], dtype=np.float32)
    np.testing.assert_array_equal(geometry.to_pixels(point), [75.0, 12.5])
    assert geometry.to_pixels(np.zeros((0, 2))).shape == (0, 2)
    assert geometry.to_pixels(np.zeros((3, 5, 2))).shape == (3, 5, 2)


def test_resized_pixels_lie_where_the_grid_says() -> None:
    geometry = Geometry.of_area(640, 480, 448, 8)
    pixels = np.zeros((480, 640, 3), dtype=np.uint8)
    x1, y1, x2, y2 = geometry.box_of_cells(10, 20, 14, 30)
    pixels[round(y1) : round(y2), round(x1) : round(x2)] = 255
    rows, cols, _ = np.nonzero(geometry.resize(pixels) > 127)
    box = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(box, [160, 80, 240, 112], atol=1)


def test_resize_accepts_a_reduced_decoding_and_can_be_written_to() -> None:
    geometry = Geometry.of_area(640, 480, 96, 8)
    ramp = np.asarray(Image.linear_gradient("L").resize((640, 480)).convert("RGB"))
    full = geometry.resize(ramp)
    half = geometry.resize(np.asarray(Image.fromarray(ramp).reduce(2)))
    assert full.shape == (geometry.input_height, geometry.input_width, 3)
    assert np.abs(full.astype(int) - half).max() <= 2
    full[0, 0] = 7

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from properties import examples
from scipy.ndimage import gaussian_filter

from heap.masks.bilateral_solver import BilateralGrid, solve_mask, trusted_mask


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """Soft blobs of colour."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    soft = gaussian_filter(noise, (6, 6, 0), mode="wrap")
    colours: np.ndarray = (128 + 50 * soft / soft.std()).clip(0, 255).astype(np.uint8)
    return colours


def blob(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(height, width))
    return gaussian_filter(noise, 8, mode="wrap") > 0


@pytest.mark.parametrize("size", [(64, 48), (120, 90), (5, 3), (1, 1), (1, 200)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_stays_constant(value: float, size: tuple[int, int]) -> None:
    target = np.full(size, value, dtype=np.float32)
    solved = BilateralGrid.of(picture(0, *size)).solve(target)
    assert solved.shape == size
    np.testing.assert_allclose(solved, value, atol=1e-5)


@settings(max_examples=examples(100))
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.01, 0.5, 0.99]),
)
def test_values_stay_in_range(pixels: np.ndarray, seed: int, share: float) -> None:
    draw = np.random.default_rng(seed)
    target = (draw.random(pixels.shape[:2]) < share).astype(np.float32)
    solved = BilateralGrid.of(pixels).solve(target)
    assert solved.min() >= 0
    assert solved.max() <= 1


def test_a_turned_picture_gives_a_turned_solution() -> None:
    # Sides that are multiples of a cell: flipped, the cells are the same ones.
    pixels, target = picture(1, 96, 64), blob(2, 96, 64).astype(np.float32)
    expected = BilateralGrid.of(pixels).solve(target)
    assert expected.std() > 0.1
    for axes in [(0,), (1,), (0, 1)]:
        turned = BilateralGrid.of(np.flip(pixels, axes)).solve(np.flip(target, axes))
        np.testing.assert_allclose(np.flip(turned, axes), expected, atol=1e-5)
    across = BilateralGrid.of(pixels.transpose(1, 0, 2)).solve(target.T)
    np.testing.assert_allclose(across.T, expected, atol=1e-5)


def disc() -> tuple[np.ndarray, np.ndarray]:
    """A red disc on grey, and its mask."""
    rows, cols = np.mgrid[:160, :160]
    inside = np.hypot(rows - 80, cols - 75) < 45
    pixels = np.where(inside[..., None], (200, 60, 50), (120, 125, 120))
    grain = np.random.default_rng(3).normal(0, 3, (160, 160, 3))
    return (pixels + grain).clip(0, 255).astype(np.uint8), inside


def coarse(mask: np.ndarray) -> np.ndarray:
    """What is left of a mask on a patch grid, brought back to the size of the picture."""
    image = Image.fromarray(mask.astype(np.float32))
    small = image.resize((10, 10), Image.Resampling.BOX)
    cells = np.asarray(small) > 0.5
    return np.kron(cells, np.ones((16, 16))) > 0


def test_a_coarse_mask_takes_the_edge_of_the_picture() -> None:
    pixels, inside = disc()
    given_mask = coarse(inside)
    wrong_before = (given_mask != inside).sum()
    _, mask = solve_mask(BilateralGrid.of(pixels), given_mask)
    assert wrong_before > 500
    assert (mask != inside).sum() < wrong_before / 20


def test_a_grid_serves_any_number_of_targets() -> None:
    grid = BilateralGrid.of(picture(4, 50, 70))
    targets = [blob(seed, 50, 70).astype(np.float32) for seed in (5, 6, 5)]
    first, other, again = (grid.solve(target) for target in targets)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("width", [4080, 4081, 9000])
def test_wide_pictures_have_cells_of_their_own(width: int) -> None:
    # Cells numbered in base 255 would meet again after 4,080 pixels, one row further down.
    grid = BilateralGrid.of(np.full((20, width, 3), 90, dtype=np.uint8))
    assert len(grid.weight) == 2 * -(-width // 16)
    target = np.zeros((20, width), dtype=np.float32)
    target[16:, :64] = 1
    solved = grid.solve(target)
    assert solved[16:, :32].min() > 0.05
    assert solved[:, 4000:].max() < 1e-3


def test_the_last_cell_of_an_axis_is_no_neighbour_of_the_first() -> None:
    # Two columns of cells in two rows, of one colour: four vertices in a square.
    grid = BilateralGrid.of(np.full((32, 32, 3), 90, dtype=np.uint8))
    assert sorted(np.diff(grid.links.indptr).tolist()) == [0, 1, 1, 2]


def test_greys_share_their_chroma() -> None:
    # Column g is grey g: 16 columns are one cell in place and in luma.
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert len(BilateralGrid.of(ramp).weight) == 16


def test_holes_are_filled() -> None:
    soft = np.zeros((7, 9), dtype=np.float32)
    soft[1:6, 1:8] = 0.9
    soft[3, 3:5] = 0.5
    filled = np.zeros((7, 9), dtype=bool)
    filled[1:6, 1:8] = True
    found = trusted_mask(soft, filled)
    assert found is not None
    assert np.array_equal(found, filled)
    soft[3, 5:] = 0.2  # now open to the border
    opened = trusted_mask(soft, filled)
    assert opened is not None
    assert np.array_equal(opened, soft > 0.5)


def test_a_mask_is_trusted_if_it_overlaps_by_more_than_half() -> None:
    soft = np.array([[0.6, 0.7, 0.0, 0.0]], dtype=np.float32)
    assert trusted_mask(soft, np.array([[True, False, False, False]])) is None
    assert trusted_mask(soft, np.array([[True, True, True, False]])) is not None
    nothing = np.zeros((1, 4), dtype=bool)
    assert trusted_mask(soft, nothing) is None
    assert trusted_mask(nothing.astype(np.float32), nothing) is None


@pytest.mark.parametrize("kind", [np.bool_, np.float32])
def test_what_the_solver_washes_away_is_given_back(kind: type) -> None:
    pixels = np.full((96, 96, 3), 90, dtype=np.uint8)
    speck = np.zeros((96, 96), dtype=bool)
    speck[40:48, 40:48] = True
    soft, mask = solve_mask(BilateralGrid.of(pixels), speck.astype(kind))
    assert soft.max() < 0.5
    assert np.array_equal(mask, speck)

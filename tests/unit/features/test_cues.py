import numpy as np
import pytest

from heap.config import Cue
from heap.features.colour_prior import BoundaryPrior
from heap.features.cues import CUE_WIDTHS, compute_cues

ALL: tuple[Cue, ...] = ("colour", "boundary", "position")


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("grid", [(5, 7), (1, 1), (1, 9), (50, 3)])
def test_widths_and_range(grid: tuple[int, int]) -> None:
    for names in [ALL, *((name,) for name in ALL)]:
        found = compute_cues(names, picture(), grid)
        assert found.shape == (grid[0] * grid[1], sum(CUE_WIDTHS[name] for name in names))
        assert found.dtype == np.float32
        assert np.abs(found).max() <= 2


def test_colour_is_the_mean_and_the_spread_of_a_cell() -> None:
    """The left cell is grey all over, the right one half black and half white."""
    pixels = np.full((4, 8, 3), 51, dtype=np.uint8)
    pixels[:2, 4:], pixels[2:, 4:] = 0, 255
    left, right = compute_cues(("colour",), pixels, (1, 2))
    # Grey has the chroma 128 / 255, which counts 1.5 times.
    chroma = 2 * 1.5 * 128 / 255 - 1
    np.testing.assert_allclose(left, [2 * 0.2 - 1, chroma, chroma, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(right, [0, chroma, chroma, 4 * 0.5, 0, 0], atol=1e-6)


def test_position_runs_from_minus_one_to_one() -> None:
    found = compute_cues(("position",), picture(), (3, 5)).reshape(3, 5, 3)
    assert found[0, 0, :2].tolist() == [-1, -1]
    assert found[2, 4, :2].tolist() == [1, 1]
    np.testing.assert_allclose(found[1, 2], [0, 0, -0.75])
    np.testing.assert_allclose(found[0, 0, 2], 2**0.5 - 0.75)


def test_boundary_is_the_prior_and_the_order_is_that_of_the_names() -> None:
    both = compute_cues(("position", "boundary"), picture(), (5, 7))
    prior = BoundaryPrior()(picture(), (5, 7))
    np.testing.assert_allclose(both[:, 3], 2 * prior.ravel() - 1, atol=1e-6)
    np.testing.assert_array_equal(both[:, :3], compute_cues(("position",), picture(), (5, 7)))

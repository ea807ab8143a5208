import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heap.base.errors import ConfigError
from heap.config import from_dict
from heap.features.colour_prior import BoundaryPrior
from heap.methods.finding import Observed
from heap.methods.simple import Boundary, CentreBox, WholeImage

from .observing import drawn, observed

GRIDS = [(1, 1), (1, 9), (9, 1), (2, 3), (12, 16)]


def blank(grid: tuple[int, int], pixels: np.ndarray | None = None) -> Observed:
    """Features that are not finite: nobody here should look at them."""
    return observed(torch.full((grid[0] * grid[1], 2), torch.nan), grid, pixels)


def disc() -> tuple[np.ndarray, np.ndarray]:
    rows, cols = np.mgrid[:48, :64]
    inside = np.hypot(rows - 24, cols - 32) < 14
    return np.where(inside[..., None], (250, 220, 40), (60, 60, 60)).astype(np.uint8), inside


def test_the_boundary_finds_a_disc() -> None:
    pixels, inside = disc()
    found = Boundary()(blank((48, 64), pixels))
    foreground = found.saliency > 0.5
    assert (foreground & inside).sum() / (foreground | inside).sum() > 0.9
    (only,) = found.objects
    np.testing.assert_array_equal(only.cells, foreground)
    assert only.score == pytest.approx(found.saliency[foreground].mean())


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.7, 1.0])
def test_foreground_is_where_the_prior_is_above_the_threshold(threshold: float) -> None:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    prior = BoundaryPrior()(pixels, (12, 16))
    found = Boundary(threshold=threshold)(blank((12, 16), pixels))
    np.testing.assert_array_equal(found.saliency > 0.5, prior > threshold)
    order = prior.ravel().argsort()
    assert (np.diff(found.saliency.ravel()[order]) >= 0).all()
    assert 0 <= found.saliency.min() <= found.saliency.max() <= 1


@pytest.mark.parametrize("grid", GRIDS)
def test_nothing_stands_out_of_a_uniform_image(grid: tuple[int, int]) -> None:
    assert Boundary()(blank(grid)).objects == ()


def test_the_centre_box_by_hand() -> None:
    """Centres at 0.1, 0.3 ... of the height, and at 1/14, 3/14 ... of the width; 0.2 to 0.8."""
    (only,) = CentreBox()(blank((5, 7))).objects
    expected = drawn(".......", ".#####.", ".#####.", ".#####.", ".......")
    np.testing.assert_array_equal(only.cells, expected)
    assert only.score == 1


@pytest.mark.parametrize(
    ("share", "cells"),
    [
        (1.0, [1, 1, 1, 1, 1]),
        (0.8, [1, 1, 1, 1, 1]),  # 0.1 is on the edge of the middle 0.8.
        (0.79, [0, 1, 1, 1, 0]),
        (0.4, [0, 1, 1, 1, 0]),  # 0.3 is on the edge of the middle 0.4.
        (0.39, [0, 0, 1, 0, 0]),
        (0.0, [0, 0, 1, 0, 0]),
    ],
)
def test_centres_on_the_edge_are_within(share: float, cells: list[int]) -> None:
    assert CentreBox(share=share)(blank((1, 5))).saliency.tolist() == [cells]


def test_no_centre_is_in_the_middle_of_an_even_grid() -> None:
    assert CentreBox(share=0.0)(blank((4, 4))).objects == ()


@given(st.integers(1, 70), st.integers(1, 70), st.floats(0, 1))
def test_the_centre_box_is_the_same_from_all_sides(rows: int, cols: int, share: float) -> None:
    found = CentreBox(share=share)(blank((rows, cols))).saliency
    np.testing.assert_array_equal(found, found[::-1])
    np.testing.assert_array_equal(found, found[:, ::-1])
    for side, count in zip(found.shape, (found.any(axis=1).sum(), found.any(axis=0).sum()),
                           strict=True):  # fmt: skip
        assert not found.any() or abs(count - share * side) <= 1


@pytest.mark.parametrize("grid", GRIDS)
def test_the_whole_image_is_one_object(grid: tuple[int, int]) -> None:
    found = WholeImage()(blank(grid))
    (only,) = found.objects
    assert only.cells.all()
    assert (found.saliency == 1).all()


@pytest.mark.parametrize("method", [Boundary, CentreBox])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_settings_out_of_range_are_refused(
    method: type[Boundary] | type[CentreBox], value: float
) -> None:
    name = "threshold" if method is Boundary else "share"
    with pytest.raises(ConfigError):
        from_dict(method, {name: value})

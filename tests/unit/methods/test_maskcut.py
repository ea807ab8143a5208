import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heap.base.errors import ConfigError
from heap.config import from_dict
from heap.methods.maskcut import MaskCut, maskcut

from .observing import drawn, observed, one_hot

TWO = drawn("........", ".##.....", ".##..ooo", ".....ooo", "........")


def test_two_objects_by_hand() -> None:
    """The larger one is the cheaper cut (4 · 36 / 4² against 6 · 34 / 6² weak edges), so it is the
    first. Then the other one; then, with nothing but weak edges left beside the background, what
    was found before is cut off once more, and that is no new object."""
    found = MaskCut()(observed(one_hot(TWO), TWO.shape))
    assert [each.score for each in found.objects] == pytest.approx([1, 2 / 3])
    np.testing.assert_array_equal(found.objects[0].cells, TWO == 2)
    np.testing.assert_array_equal(found.objects[1].cells, TWO == 1)
    np.testing.assert_array_equal(found.saliency, TWO > 0)


def test_no_more_objects_than_were_asked_for() -> None:
    (only,) = MaskCut(objects=1)(observed(one_hot(TWO), TWO.shape)).objects
    np.testing.assert_array_equal(only.cells, TWO == 2)
    assert only.score == 1


@pytest.mark.parametrize(("size", "objects"), [(1, 1), (2, 2)])
def test_a_further_object_is_larger_than_a_hundredth(size: int, objects: int) -> None:
    """The first, of 9 of 100 patches, is the cheaper one to cut off."""
    layout = np.zeros((10, 10), dtype=int)
    layout[1:4, 1:4] = 1
    layout[7, 5 : 5 + size] = 2
    found = maskcut(one_hot(layout), (10, 10))
    assert len(found) == objects
    for number, cells in enumerate(found, start=1):
        np.testing.assert_array_equal(cells, layout == number)


def test_the_first_object_may_be_small() -> None:
    layout = np.zeros((10, 10), dtype=int)
    layout[4, 4] = 1
    (only,) = maskcut(one_hot(layout), (10, 10))
    np.testing.assert_array_equal(only, layout == 1)


def test_what_holds_three_corners_is_background() -> None:
    corners = drawn("#....#", "......", "......", "#.....")
    (only,) = maskcut(one_hot(corners), (4, 6), oriented=True)
    np.testing.assert_array_equal(only, ~corners)
    two = drawn("#.....", "......", "......", "#.....")
    found = maskcut(one_hot(two), (4, 6), oriented=True)
    assert [np.argwhere(cells).tolist() for cells in found] == [[[0, 0]], [[3, 0]]]


def test_the_largest_part_of_a_side_can_be_asked_for_whatever_is_at_the_corners() -> None:
    """Patches at all four corners are like the object: the seed is the first of the five parts."""
    like = drawn("#.....#", ".......", "..###..", "..###..", ".......", "#.....#")
    (only,) = maskcut(one_hot(like), (6, 7), count=1, oriented=True)
    np.testing.assert_array_equal(only, ~like)
    (largest,) = maskcut(one_hot(like), (6, 7), count=1, largest=True)
    np.testing.assert_array_equal(np.argwhere(largest), [(r, c) for r in (2, 3) for c in (2, 3, 4)])


def test_the_threshold_decides_what_is_linked() -> None:
    # Cosines: 0.8 between the two halves, 1 within.
    patches = torch.tensor([[1.0, 0.0]] * 4 + [[0.8, 0.6]] * 2 + [[1.0, 0.0]])
    assert maskcut(patches, (1, 7), threshold=0.79) == []
    (only,) = maskcut(patches, (1, 7), threshold=0.81, oriented=True)
    # In one row the corners are its two ends, each counted twice.
    assert only.tolist() == [[0, 0, 0, 0, 1, 1, 0]]


@pytest.mark.parametrize(
    "patches",
    [torch.ones(1, 3), torch.ones(6, 3), torch.eye(6), torch.zeros(6, 3)],
    ids=["one patch", "all alike", "all unlike", "all zero"],
)
def test_nothing_to_cut(patches: torch.Tensor) -> None:
    for grid in ((1, len(patches)), (len(patches), 1)):
        found = MaskCut()(observed(patches, grid))
        assert found.objects == ()
        assert not found.saliency.any()


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        MaskCut()(observed(torch.full((4, 2), torch.nan), (2, 2)))


@pytest.mark.parametrize("settings", [{"objects": 0}, {"threshold": -1.1}, {"objects": 2.5}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        from_dict(MaskCut, settings)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 999), st.integers(1, 6))
def test_objects_are_disjoint_whatever_there_is(
    rows: int, cols: int, seed: int, count: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (rows * cols,), generator=generator)
    patches = torch.eye(4)[labels] + 0.4 * torch.randn(rows * cols, 4, generator=generator)
    found = MaskCut(objects=count)(observed(patches, (rows, cols)))
    assert len(found.objects) <= count
    assert all(each.cells.any() and 0 < each.score <= 1 for each in found.objects)
    total = sum((each.cells.astype(int) for each in found.objects), np.zeros((rows, cols), int))
    np.testing.assert_array_equal(total, found.saliency)

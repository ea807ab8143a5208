import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heap.base.errors import ConfigError
from heap.config import from_dict
from heap.methods.lost import Lost, lost

from .observing import drawn, observed

BACK, FRONT = torch.tensor([1.0, 0.0]), torch.tensor([-0.1, 1.0])
"""Correlations: 1 and 1.01 with themselves, -0.1 with each other."""
LAYOUT = drawn("......", ".##...", ".#....", ".....#")


def features(layout: np.ndarray) -> torch.Tensor:
    return torch.where(torch.from_numpy(layout).flatten()[:, None], FRONT, BACK)


def test_an_object_by_hand() -> None:
    """Four patches are like 3 others, twenty are like 19: the first of the four is the seed."""
    grown = lost(features(LAYOUT), (4, 6))
    assert grown.seed == (1, 1)
    np.testing.assert_array_equal(grown.foreground, LAYOUT)
    assert np.argwhere(grown.part).tolist() == [[1, 1], [1, 2], [2, 1]]


def test_the_method_finds_the_part_of_the_seed_or_all_of_it() -> None:
    image = observed(features(LAYOUT), (4, 6))
    (only,) = Lost()(image).objects
    assert np.argwhere(only.cells).tolist() == [[1, 1], [1, 2], [2, 1]]
    np.testing.assert_array_equal(Lost()(image).saliency, only.cells)
    whole = Lost(whole=True)(image)
    np.testing.assert_array_equal(whole.saliency, LAYOUT)
    assert [int(each.cells.sum()) for each in whole.objects] == [3, 1]


A, B, C = [1.0, 0.0], [0.5, 1.0], [-0.1, 1.0]
"""a·b = 0.5, a·c = -0.1, b·c = 0.95: a and c have degree 1, b has 2, so the order is a, c, b."""


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [1, 1, 0]),  # a alone is the seed: c is not like it.
        (2, [1, 1, 0]),  # c is the second, but does not join a.
        (3, [1, 1, 1]),  # b joins, and -0.1 + 0.95 > 0.
    ],
)
def test_who_may_join_by_hand(count: int, expected: list[int]) -> None:
    grown = lost(torch.tensor([A, B, C]), (1, 3), count)
    assert grown.seed == (0, 0)
    assert grown.foreground.tolist() == [expected]


def test_lengths_count() -> None:
    """With b a twentieth as long, -0.1 + 0.0475 < 0."""
    patches = torch.tensor([A, [0.05 * value for value in B], C])
    assert lost(patches, (1, 3)).foreground.tolist() == [[1, 1, 0]]


def test_the_threshold_is_a_cosine() -> None:
    """The cosine of a and b is 0.447, that of b and c 0.845."""
    patches = torch.tensor([A, B, C])
    for scale in (torch.ones(3, 1), torch.tensor([[3.0], [0.2], [9.0]])):
        grown = lost(patches * scale, (1, 3), threshold=0.5)
        assert grown.seed == (0, 0)
        assert grown.foreground.tolist() == [[1, 0, 0]]
    # Above both, each patch is on its own; below both and with b in the row, LOST's own.
    assert lost(patches, (1, 3), threshold=0.9).foreground.tolist() == [[1, 0, 0]]
    assert lost(patches, (1, 3), threshold=0.0).foreground.all()


def test_of_equal_degrees_the_first_counts() -> None:
    assert lost(torch.eye(6), (2, 3)).part.tolist() == [[1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("grid", [(1, 1), (1, 7), (7, 1), (3, 4)])
def test_where_all_patches_are_alike_the_object_is_the_image(grid: tuple[int, int]) -> None:
    assert Lost()(observed(torch.ones(grid[0] * grid[1], 3), grid)).saliency.all()


def test_a_seed_of_length_zero_finds_nothing() -> None:
    patches = torch.ones(6, 3)
    patches[4] = 0
    assert lost(patches, (2, 3)).seed == (1, 1)
    assert Lost()(observed(patches, (2, 3))).objects == ()
    assert Lost(whole=True)(observed(torch.zeros(6, 3), (2, 3))).objects == ()


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_features_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="4 of 4 patches"):
        Lost()(observed(torch.full((4, 2), bad), (2, 2)))


@pytest.mark.parametrize("settings", [{"patches": 0}, {"threshold": 1.5}, {"count": 3}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        from_dict(Lost, settings)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 999), st.floats(0, 0.9))
def test_the_seed_is_in_what_grows_from_it(
    rows: int, cols: int, seed: int, threshold: float
) -> None:
    patches = torch.randn(rows * cols, 4, generator=torch.Generator().manual_seed(seed))
    grown = lost(patches, (rows, cols), threshold=threshold)
    assert grown.part[grown.seed]
    assert not (grown.part & ~grown.foreground).any()

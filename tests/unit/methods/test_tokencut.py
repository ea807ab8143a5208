import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heap.base.errors import ConfigError
from heap.config import from_dict
from heap.methods.tokencut import TokenCut, tokencut

from .observing import drawn, observed

FIRST, SECOND = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])


def features(layout: np.ndarray) -> torch.Tensor:
    """One of two orthogonal features for each cell."""
    return torch.where(torch.from_numpy(layout).flatten()[:, None], FIRST, SECOND)


SQUARE = drawn(".....", ".##..", ".##..", ".....")


def test_two_clusters_by_hand() -> None:
    cut = tokencut(features(SQUARE), (4, 5))
    np.testing.assert_array_equal(cut.partition, SQUARE)
    np.testing.assert_array_equal(cut.part, SQUARE)
    assert cut.seed == (1, 1)
    # Orthogonal to the degrees: 4 patches of degree 4 (1 + 4ε) against 16 of 16 + 4ε.
    inside, outside = cut.eigenvector[SQUARE], cut.eigenvector[~SQUARE]
    assert np.ptp(inside) == pytest.approx(0, abs=1e-6)
    degrees = 4 * (4 + 16e-5), 16 * (16 + 4e-5)
    np.testing.assert_allclose(inside[0] / outside, -degrees[1] / degrees[0], rtol=1e-4)


def test_the_smaller_side_is_the_foreground() -> None:
    np.testing.assert_array_equal(tokencut(features(~SQUARE), (4, 5)).partition, SQUARE)


def test_the_object_is_the_part_of_the_seed() -> None:
    layout = drawn("##....", "##....", "......", "....##")
    cut = tokencut(features(layout), (4, 6))
    np.testing.assert_array_equal(cut.partition, layout)
    # All six are equally far from the cut: the first of them is the seed.
    assert cut.seed == (0, 0)
    assert np.argwhere(cut.part).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    "patches",
    [
        torch.ones(1, 3),
        torch.ones(6, 3),
        torch.eye(6),
        torch.zeros(6, 3),
        torch.randn(6, 1, generator=torch.Generator().manual_seed(0)).abs(),
    ],
    ids=["one patch", "all alike", "all unlike", "all zero", "one direction"],
)
def test_nothing_to_cut(patches: torch.Tensor) -> None:
    cut = tokencut(patches, (1, len(patches)))
    assert not cut.partition.any()
    assert not cut.part.any()
    assert not cut.eigenvector.any()
    assert cut.seed == (0, 0)


TWO = drawn("##....", "##....", "......", "....##")


def test_the_method_finds_the_part_of_the_seed() -> None:
    found = TokenCut()(observed(features(TWO), (4, 6)))
    (only,) = found.objects
    assert np.argwhere(only.cells).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert only.score == 1
    np.testing.assert_array_equal(found.saliency, only.cells)


def test_or_the_whole_side_of_it() -> None:
    found = TokenCut(whole=True)(observed(features(TWO), (4, 6)))
    np.testing.assert_array_equal(found.saliency, TWO)
    assert [int(each.cells.sum()) for each in found.objects] == [4, 2]


def test_the_threshold_decides_what_is_linked() -> None:
    # Cosines: 0.8 between the two halves, 1 within.
    patches = torch.tensor([[1.0, 0.0]] * 4 + [[0.8, 0.6]] * 2)
    assert TokenCut(threshold=0.79)(observed(patches, (1, 6))).objects == ()
    found = TokenCut(threshold=0.81)(observed(patches, (1, 6)))
    assert found.saliency.tolist() == [[0, 0, 0, 0, 1, 1]]


@pytest.mark.parametrize("threshold", [1.01, -2.0, float("nan"), "0.2"])
def test_a_threshold_that_is_no_cosine_is_refused(threshold: object) -> None:
    with pytest.raises(ConfigError):
        from_dict(TokenCut, {"threshold": threshold})


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        TokenCut()(observed(torch.full((4, 2), torch.nan), (2, 2)))


@pytest.mark.parametrize("count", [0, 5])
def test_patches_must_fill_the_grid(count: int) -> None:
    with pytest.raises(ValueError, match="do not fill a grid"):
        tokencut(torch.ones(count, 2), (count and 2, 3))


def test_groups_that_are_equally_good_to_cut_give_the_same_cut_each_time() -> None:
    patches = torch.eye(3).repeat_interleave(12, dim=0)
    first = tokencut(patches, (6, 6))
    for _ in range(3):
        again = tokencut(patches, (6, 6))
        np.testing.assert_array_equal(again.partition, first.partition)
        assert again.seed == first.seed


@given(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 2), st.integers(1, 3)),
    st.integers(0, 2**20),
)
def test_lengths_and_sides_do_not_matter(place: tuple[int, int, int, int], seed: int) -> None:
    top, left, height, width = place
    layout = np.zeros((5, 6), dtype=bool)
    layout[top : top + height, left : left + width] = True
    lengths = torch.exp(torch.randn(30, 1, generator=torch.Generator().manual_seed(seed)))
    found = tokencut(features(layout) * lengths, (5, 6)).partition
    np.testing.assert_array_equal(found, layout)
    turned = np.ascontiguousarray(layout[::-1, ::-1])
    np.testing.assert_array_equal(tokencut(features(turned), (5, 6)).partition, turned)

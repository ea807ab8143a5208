import numpy as np
import pytest
import torch

from heap.base.errors import ConfigError
from heap.config import from_dict
from heap.methods.deepspectral import DeepSpectral, colour_links, deep_spectral

from .observing import drawn, observed, one_hot

SQUARE = drawn(".......", ".##....", ".##..#.", ".......")
GREY = np.full((8, 8, 3), 128, dtype=np.uint8)


def grey(grid: tuple[int, int]) -> np.ndarray:
    return np.full((*grid, 3), 128, dtype=np.uint8)


def test_the_smaller_cluster_is_the_foreground() -> None:
    """Without colours the graph falls into two pieces, and the vector is constant on each."""
    for layout in (SQUARE, ~SQUARE):
        found = deep_spectral(one_hot(layout), (4, 7), GREY, colour=0.0)
        np.testing.assert_array_equal(found, SQUARE)


def test_its_parts_are_the_objects() -> None:
    found = DeepSpectral(colour=0.0)(observed(one_hot(SQUARE), (4, 7)))
    assert [int(each.cells.sum()) for each in found.objects] == [4, 1]
    np.testing.assert_array_equal(found.saliency, SQUARE)


def test_of_equal_sides_the_one_that_starts_later_is_the_foreground() -> None:
    layout = drawn("##..", "##..")
    for each in (layout, ~layout):
        found = deep_spectral(one_hot(each), (2, 4), GREY, colour=0.0)
        np.testing.assert_array_equal(found, ~layout)


def test_negative_cosines_are_no_edges() -> None:
    patches = torch.tensor([[1.0, 0.0]] * 5 + [[-1.0, 0.0]] * 2 + [[-0.5, 0.0]])
    assert deep_spectral(patches, (1, 8), GREY, 0.0).tolist() == [[False] * 5 + [True] * 3]


def test_a_patch_of_length_zero_is_on_neither_side() -> None:
    patches = one_hot(SQUARE)
    patches[[0, 8]] = 0
    expected = SQUARE.copy()
    expected[1, 1] = False
    np.testing.assert_array_equal(deep_spectral(patches, (4, 7), GREY, colour=0.0), expected)


def test_links_in_a_small_image_are_all_there() -> None:
    """Ten cells: all of them are among the 20 nearest and among the 10 nearest, both ways."""
    random = np.random.default_rng(0).integers(0, 256, (20, 50, 3), dtype=np.uint8)
    assert (colour_links(random, (2, 5)) == 4).all()
    assert (colour_links(random, (1, 1)) == 4).all()


def test_links_in_a_row_by_hand() -> None:
    """21 cells of one colour, so near is near in place."""
    links = colour_links(grey((1, 21)), (1, 21))
    expected = {
        (0, 0): 4,
        (0, 20): 0,  # The 20 nearest of either end are all but the other end.
        (5, 20): 1,  # 20 has 5 among its 20 nearest, 5 has 20 farthest of all.
        (10, 20): 2,  # 10 has both ends as its farthest: equally near, so both count.
        (10, 15): 4,  # Each the tenth nearest of the other, together with the fifth to the left.
        (10, 16): 2,
        (0, 9): 3,  # 9 is the tenth nearest of 0; the ten nearest of 9 are 4 to 14.
    }
    assert {place: links[place] for place in expected} == expected
    np.testing.assert_array_equal(links, links.T)
    np.testing.assert_array_equal(links, links[::-1, ::-1])


def test_colour_counts_more_than_place() -> None:
    """Black to the left, white to the right: the ten nearest are of the same colour."""
    pixels = grey((6, 8))
    pixels[:, :4], pixels[:, 4:] = 0, 255
    links = colour_links(pixels, (6, 8)).reshape(6, 8, 6, 8)
    # Across the border, at most the 20 nearest of either cell.
    assert links[:, :4, :, 4:].max() <= 2
    # The ten nearest at a weight of 0.1 are those around a cell.
    assert links[3, 3, 3, 2] == links[3, 3, 2, 3] == 4


def test_colours_decide_where_features_do_not() -> None:
    rows, cols = np.mgrid[:16, :16]
    disc = np.hypot(rows - 7.5, cols - 7.5) < 5
    pixels = np.where(disc[..., None], (250, 220, 40), (60, 60, 60)).astype(np.uint8)
    noise = torch.randn(256, 6, generator=torch.Generator().manual_seed(0))
    image = observed(torch.ones(256, 6) + 0.1 * noise, (16, 16), pixels)
    found = DeepSpectral()(image).saliency > 0.5
    np.testing.assert_array_equal(found, disc)
    without = DeepSpectral(colour=0.0)(image).saliency > 0.5
    assert (without & disc).sum() / (without | disc).sum() < 0.5


@pytest.mark.parametrize(
    "patches",
    [torch.ones(1, 3), torch.ones(6, 3), torch.eye(6), torch.zeros(6, 3), torch.full((2, 3), 0.1)],
    ids=["one patch", "all alike", "all unlike", "all zero", "two alike"],
)
@pytest.mark.parametrize("colour", [0.0, 10.0])
def test_nothing_to_cut(patches: torch.Tensor, colour: float) -> None:
    for grid in ((1, len(patches)), (len(patches), 1)):
        assert DeepSpectral(colour=colour)(observed(patches, grid)).objects == ()


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        DeepSpectral()(observed(torch.full((4, 2), torch.nan), (2, 2)))


@pytest.mark.parametrize("colour", [-1.0, float("inf"), float("nan")])
def test_a_weight_out_of_range_is_refused(colour: float) -> None:
    with pytest.raises(ConfigError):
        from_dict(DeepSpectral, {"colour": colour})

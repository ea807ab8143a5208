import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from properties import examples
from runs import blobs, ring
from scipy.ndimage import binary_fill_holes, label

from heap.masks.outlines import outline, pieces, rasterise


def iou(found: np.ndarray, mask: np.ndarray) -> float:
    return float((found & mask).sum() / (found | mask).sum())


def test_a_square_is_its_corner_pixels() -> None:
    mask = np.zeros((6, 7), dtype=bool)
    mask[1:4, 2:6] = True
    (found,) = pieces(mask)
    assert sorted(found.tolist()) == [[2, 1], [2, 3], [5, 1], [5, 3]]
    whole = outline(mask)
    assert whole is not None
    assert whole.tolist() == found.tolist()


def test_a_hole_is_reached_by_a_seam_there_and_back() -> None:
    mask = np.zeros((9, 9), dtype=bool)
    mask[1:8, 1:8] = True
    mask[4, 4] = False
    (found,) = pieces(mask)
    points = [tuple(point) for point in found.tolist()]
    around = [(3, 4), (4, 3), (5, 4), (4, 5)]
    assert set(around) <= set(points)
    # The shoelace area counts the hole out, as every rule of filling does.
    x, y = found.T.astype(float)
    area = abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
    assert area == 6 * 6 - 2
    assert np.array_equal(rasterise([found], mask.shape), mask)


@pytest.mark.parametrize(
    "pixels",
    [[(2, 3)], [(2, 3), (2, 4)], [(0, 0), (1, 0), (2, 0), (3, 0)], [(0, 0), (1, 1)], [(4, 5)]],
)
def test_what_has_no_inside_is_drawn_too(pixels: list[tuple[int, int]]) -> None:
    mask = np.zeros((5, 6), dtype=bool)
    mask[tuple(zip(*pixels, strict=True))] = True
    whole = outline(mask)
    assert whole is not None
    for rings in (pieces(mask), [whole]):
        assert all(len(each) >= 3 for each in rings)
        assert np.array_equal(rasterise(rings, mask.shape), mask)


def test_an_empty_mask_has_no_outline() -> None:
    mask = np.zeros((5, 6), dtype=bool)
    assert outline(mask) is None
    assert pieces(mask) == []


@given(mask=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_small_masks_come_back_exactly_piece_by_piece(mask: np.ndarray) -> None:
    rings = pieces(mask)
    assert len(rings) == label(mask)[1]
    assert np.array_equal(rasterise(rings, (mask.shape[0], mask.shape[1])), mask)


@given(mask=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_one_ring_adds_nothing_but_seams_between_pieces(mask: np.ndarray) -> None:
    whole = outline(mask)
    if whole is None:
        assert not mask.any()
        return
    found = rasterise([whole], (mask.shape[0], mask.shape[1]))
    assert (found >= mask).all()
    if label(mask)[1] == 1:
        assert np.array_equal(found, mask)


@given(
    seed=st.integers(0, 10_000),
    height=st.integers(200, 500),
    width=st.integers(200, 500),
    share=st.floats(0.3, 0.8),
)
@settings(max_examples=examples(12))
def test_blobs_with_holes_come_back(seed: int, height: int, width: int, share: float) -> None:
    mask = blobs((height, width), seed, share)
    whole = outline(mask)
    assert whole is not None
    assert iou(rasterise(pieces(mask), mask.shape), mask) >= 0.99
    assert iou(rasterise([whole], mask.shape), mask) >= 0.98  # Seams from piece to piece cost more.


def test_a_bump_of_a_large_square_keeps_its_corners() -> None:
    """Left out are the points where it begins: they lie within a pixel of a line without them."""
    mask = np.zeros((230, 230), dtype=bool)
    mask[20:220, 20:220] = True
    mask[14:20, 100:103] = True
    (found,) = pieces(mask)
    square, bump = [[20, 20], [219, 20], [219, 219], [20, 219]], [[100, 14], [102, 14]]
    assert sorted(found.tolist()) == sorted([*square, *bump, [99, 20], [103, 20]])


def test_few_points_are_enough_for_a_large_shape() -> None:
    mask = ring((600, 600), (300, 300), 250, 100)
    assert binary_fill_holes(mask).sum() > mask.sum()
    (found,) = pieces(mask)
    assert len(found) < 120
    assert iou(rasterise([found], mask.shape), mask) >= 0.99

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from pycocotools import mask as oracle

from heap.benchmark.datasets.coco_masks import segmentation_mask

SIDES = st.integers(1, 20)


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    height, width, seed = draw(SIDES), draw(SIDES), draw(st.integers(0, 999))
    return np.random.default_rng(seed).random((height, width)) < draw(st.floats(0, 1))


@given(masks())
@settings(max_examples=examples(50))
def test_run_lengths_go_round(mask: np.ndarray) -> None:
    runs = oracle.encode(np.asfortranarray(mask.astype(np.uint8)))
    packed = {"size": list(mask.shape), "counts": runs["counts"].decode()}
    assert np.array_equal(segmentation_mask(packed, *mask.shape), mask)
    columns = mask.T.ravel()
    edges = np.flatnonzero(np.diff(columns, prepend=False, append=not columns[-1]))
    plain = {"size": list(mask.shape), "counts": np.diff(edges, prepend=0).tolist()}
    assert np.array_equal(segmentation_mask(plain, *mask.shape), mask)


@given(SIDES, SIDES, st.lists(st.lists(st.floats(-0.5, 1.5), min_size=6, max_size=20), min_size=1))
@settings(max_examples=examples(100))
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_polygons_are_those_of_pycocotools(
    height: int, width: int, shares: list[list[float]]
) -> None:
    polygons = [(np.array(each[: len(each) // 2 * 2]) * 20).round(2) for each in shares]
    sides = np.array([width, height])
    inside = [(each.reshape(-1, 2) / 20 * sides).ravel().tolist() for each in polygons]
    theirs = oracle.decode(oracle.merge(oracle.frPyObjects(inside, height, width)))
    assert np.array_equal(segmentation_mask(inside, height, width), theirs)


def test_polygons_are_joined_and_cut_at_the_edges() -> None:
    left, right = [-5, 1, 2, 1, 2, 3, -5, 3], [4.0, 0, 9, 0, 9, 4, 4, 4]
    mask = segmentation_mask([left, right], 4, 6)
    assert mask.astype(int).tolist() == [
        [0, 0, 0, 0, 1, 1],
        [1, 1, 0, 0, 1, 1],
        [1, 1, 0, 0, 1, 1],
        [0, 0, 0, 0, 1, 1],
    ]


SQUARE = [0, 0, 4, 0, 4, 4, 0, 4]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("polygon", "polygons are malformed"),
        (7, "polygons are malformed"),
        ([SQUARE, [0, 0, 4, 4]], r"polygons\[1\] are malformed: .* at least 6 items"),
        ([SQUARE, [*SQUARE, 1]], "polygon 1 has an x without a y"),
        ([[*SQUARE, float("nan"), 1]], r"polygons\[0\]\[8\] are malformed: .*finite"),
        ([[*SQUARE, 1, float("-inf")]], r"polygons\[0\]\[9\] are malformed: .*finite"),
        ([[*SQUARE, "1", "2"]], r"polygons\[0\]\[8\] are malformed"),
        ([[*SQUARE, 1e9, 1]], "polygon 0 is far outside the picture of 6 x 4"),
        ([[*SQUARE, 1, -1e300]], "polygon 0 is far outside"),
        ([[[0, 0], [4, 0], [4, 4]]], r"polygons\[0\]"),
        ({}, "of size None"),
        ({"size": [6, 4], "counts": [24]}, r"of size \[6, 4\], not \[4, 6\]"),
        ({"size": [4, 6]}, "neither a text nor a list"),
        ({"size": [4, 6], "counts": [1.5, 22.5]}, "neither a text nor a list"),
        ({"size": [4, 6], "counts": [[24]]}, "neither a text nor a list"),
        ({"size": [4, 6], "counts": [25]}, "run lengths cannot be read"),
        ({"size": [4, 6], "counts": [30, -6]}, "run lengths cannot be read"),
        ({"size": [4, 6], "counts": [2**70]}, "run lengths cannot be read"),
        ({"size": [4, 6], "counts": "!!"}, "run lengths cannot be read"),
        ({"size": [4, 6], "counts": 40 * "P" + "1"}, "run lengths cannot be read"),
        ({"size": [4, 6], "counts": ""}, "run lengths cannot be read"),
    ],
)
def test_what_is_malformed_is_refused(wrong: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        segmentation_mask(wrong, 4, 6)

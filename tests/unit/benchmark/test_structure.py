"""The S-measure by hand, and at its edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heap.benchmark.metrics.structure import s_measure

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
SOFT = st.floats(0, 1, width=32)


def soft(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def truth_of(*rows: list[int]) -> np.ndarray:
    return np.array(rows, dtype=bool)


def test_objects_by_hand() -> None:
    # The centroid, half a pixel down, goes to the even row: four rectangles of one pixel, all 1.
    found = s_measure(soft([1, 0.5], [0.5, 0]), truth_of([1, 0], [1, 0]))
    evenness = 2 * 0.75 / (0.75**2 + 1 + np.sqrt(0.125))
    assert found == pytest.approx(0.5 * evenness + 0.5)


def test_regions_by_hand() -> None:
    # Left of the centroid and with it: means 1/4 and 1/2, variances 1/8 and 1/2, covariance 1/4.
    left = 4 * 1 / 4 * 1 / 2 * 1 / 4 / ((1 / 16 + 1 / 4) * (1 / 8 + 1 / 2))
    # Right of it both are even. Below it there is nothing.
    regions = (2 * left + 2 * 1) / 4
    foreground = 2 * 0.5 / (0.5**2 + 1)
    background = 2 * 2 / 3 / (4 / 9 + 1 + np.sqrt(1 / 12))
    found = s_measure(soft([0, 0.5, 0.5, 0.5]), truth_of([0, 1, 0, 0]))
    assert found == pytest.approx(
        0.5 * (foreground / 4 + 3 * background / 4) + 0.5 * regions, abs=1e-12
    )


def test_an_even_map_is_like_even_background_whatever_the_rounding() -> None:
    prediction, truth = np.full((8, 8), 0.3, np.float32), np.zeros((8, 8), dtype=bool)
    truth[1, 1] = True
    # Only the rectangle of four pixels that holds the object is unlike, and that entirely.
    objects = 1 / 64 * 0.6 / 1.09 + 63 / 64 * 1.4 / 1.49
    assert s_measure(prediction, truth) == pytest.approx(0.5 * objects + 0.5 * 60 / 64)


def test_truth_without_foreground_or_background() -> None:
    prediction = soft([0.25, 0.5], [0, 0])
    assert s_measure(prediction, truth_of([0, 0], [0, 0])) == 1 - 0.75 / 4
    assert s_measure(prediction, truth_of([1, 1], [1, 1])) == 0.75 / 4


def test_an_empty_map_is_half_right_about_little() -> None:
    truth = np.zeros((10, 10), dtype=bool)
    truth[4:6, 4:6] = True
    # The background, 96 %, is even and dark. Each rectangle has an object and no brightness.
    assert s_measure(np.zeros((10, 10), np.float32), truth) == pytest.approx(0.5 * 0.96)


def test_a_chessboard_turned_around_is_cut_off_at_zero() -> None:
    # No object is right, and the correlation within each rectangle is -1.
    truth = np.indices((8, 8)).sum(axis=0) % 2 == 0
    assert s_measure((~truth).astype(np.float32), truth) == 0


@given(arrays(bool, SIZES))
def test_of_the_truth_is_one(truth: np.ndarray) -> None:
    assert s_measure(truth.astype(np.float32), truth) == pytest.approx(1)


@given(st.data())
def test_is_between_zero_and_one(data: st.DataObject) -> None:
    prediction = data.draw(arrays(np.float32, SIZES, elements=SOFT))
    truth = data.draw(arrays(bool, prediction.shape))
    assert 0 <= s_measure(prediction, truth) <= 1 + 1e-12


@given(st.data())
def test_void_pixels_are_background_in_both(data: st.DataObject) -> None:
    prediction = data.draw(arrays(np.float32, SIZES, elements=SOFT))
    truth = data.draw(arrays(bool, prediction.shape))
    valid = data.draw(arrays(bool, prediction.shape))
    without = s_measure(np.where(valid, prediction, 0), truth & valid)
    assert s_measure(prediction, truth, valid) == without

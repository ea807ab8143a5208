"""Scores of masks and maps by hand, and what must hold for any of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heap.benchmark.metrics.masks import mask_iou, mean_absolute_error, pixel_accuracy

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
NOWHERE = np.zeros((2, 2), dtype=bool)


def drawn(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


class TestMaskIou:
    def test_by_hand(self) -> None:
        assert mask_iou(drawn("##..", "##.."), drawn(".##.", ".##.")) == 2 / 6

    def test_nothing_found_is_zero(self) -> None:
        assert mask_iou(drawn("..", ".."), drawn("#.", "..")) == 0

    def test_nothing_there_and_nothing_found_is_one(self) -> None:
        assert mask_iou(drawn("..", ".."), drawn("..", "..")) == 1

    def test_something_found_where_nothing_is_there_is_zero(self) -> None:
        assert mask_iou(drawn("#.", ".."), drawn("..", "..")) == 0

    def test_all_found_and_all_there_is_one(self) -> None:
        assert mask_iou(drawn("##", "##"), drawn("##", "##")) == 1

    def test_void_pixels_are_left_out(self) -> None:
        prediction, truth = drawn("##..", "##.."), drawn(".##.", ".##.")
        assert mask_iou(prediction, truth, valid=drawn("####", "....")) == 1 / 3
        assert mask_iou(prediction, truth, valid=drawn("...#", "...#")) == 1

    @given(MASKS)
    def test_of_itself_is_one_and_of_its_complement_zero(self, mask: np.ndarray) -> None:
        assert mask_iou(mask, mask) == 1
        assert mask_iou(mask, ~mask) == 0

    @given(st.data())
    def test_is_symmetric_and_no_more_than_accuracy(self, data: st.DataObject) -> None:
        a = data.draw(MASKS)
        b, valid = data.draw(arrays(bool, a.shape)), data.draw(arrays(bool, a.shape))
        assert mask_iou(a, b, valid) == mask_iou(b, a, valid)
        # Agreement on the background can only add to agreement on the foreground.
        assert mask_iou(a, b, valid) <= pixel_accuracy(a, b, valid)


class TestPixelAccuracy:
    def test_counts_both_classes(self) -> None:
        assert pixel_accuracy(drawn("##..", "...."), drawn("#...", "...#")) == 6 / 8

    def test_void_pixels_are_left_out(self) -> None:
        prediction, truth = drawn("##..", "...."), drawn("#...", "...#")
        assert pixel_accuracy(prediction, truth, valid=drawn("####", "....")) == 3 / 4


class TestMeanAbsoluteError:
    PREDICTION = np.array([[0.25, 1.0], [0.0, 0.5]], dtype=np.float32)
    TRUTH = drawn("#.", ".#")

    def test_by_hand(self) -> None:
        found = mean_absolute_error(self.PREDICTION, self.TRUTH)
        assert found == (0.75 + 1 + 0 + 0.5) / 4

    def test_void_pixels_are_left_out(self) -> None:
        found = mean_absolute_error(self.PREDICTION, self.TRUTH, valid=drawn("#.", "##"))
        assert found == (0.75 + 0 + 0.5) / 3

    @given(st.data())
    def test_of_a_mask_is_the_share_that_is_wrong(self, data: st.DataObject) -> None:
        a = data.draw(MASKS)
        b, valid = data.draw(arrays(bool, a.shape)), data.draw(arrays(bool, a.shape))
        error = mean_absolute_error(a.astype(np.float32), b, valid)
        assert error == pytest.approx(1 - pixel_accuracy(a, b, valid))


def test_where_no_pixel_is_valid_nothing_is_wrong() -> None:
    prediction, truth = drawn("##", ".."), drawn("..", "##")
    assert mask_iou(prediction, truth, NOWHERE) == 1
    assert pixel_accuracy(prediction, truth, NOWHERE) == 1
    assert mean_absolute_error(prediction.astype(np.float32), truth, NOWHERE) == 0

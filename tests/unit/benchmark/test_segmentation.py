"""Confusions and mean IoU by hand."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heap.benchmark.metrics.segmentation import (
    compute_iou,
    compute_miou,
    update_confusion,
)

TRUTH = np.array([[0, 0, 1, 1], [0, 2, 2, 255]], dtype=np.uint8)
PREDICTION = np.array([[0, 1, 1, 1], [0, 2, 0, 4]])
CONFUSION = [[2, 1, 0, 0, 0], [0, 2, 0, 0, 0], [1, 0, 1, 0, 0], [0] * 5, [0] * 5]

CONFUSIONS = st.integers(1, 5).flatmap(
    lambda classes: arrays(np.int64, (classes, classes), elements=st.integers(0, 3))
)


class TestConfusion:
    def test_by_hand(self) -> None:
        assert update_confusion(PREDICTION, TRUTH, 5).tolist() == CONFUSION

    def test_only_void_counts_nothing(self) -> None:
        void = np.full((2, 3), 255, dtype=np.uint8)
        assert not update_confusion(np.ones((2, 3), dtype=np.int64), void, 2).any()

    def test_a_prediction_under_void_may_be_anything(self) -> None:
        wild = np.where(TRUTH == 255, -7, PREDICTION)
        assert update_confusion(wild, TRUTH, 5).tolist() == CONFUSION

    @pytest.mark.parametrize("wrong", [-1, 3, 255])
    def test_a_predicted_class_that_there_is_not_is_refused(self, wrong: int) -> None:
        prediction = np.array([[0, wrong]])
        with pytest.raises(ValueError, match=f"prediction has class numbers from .*{wrong}"):
            update_confusion(prediction, np.zeros((1, 2), dtype=np.uint8), 3)

    def test_a_true_class_that_there_is_not_is_refused(self) -> None:
        with pytest.raises(ValueError, match="truth has class numbers from 0 to 2"):
            update_confusion(np.zeros_like(PREDICTION), TRUTH, 2)


class TestIou:
    def test_by_hand(self) -> None:
        assert compute_iou(np.array(CONFUSION))[:3].tolist() == [2 / 4, 2 / 3, 1 / 2]

    def test_a_class_that_is_neither_true_nor_predicted_has_none(self) -> None:
        assert np.isnan(compute_iou(np.array(CONFUSION))[3:]).all()

    def test_a_class_that_is_only_predicted_has_zero(self) -> None:
        assert compute_iou(np.array([[3, 1], [0, 0]])).tolist() == [3 / 4, 0]

    def test_weights_of_images_are_weights_of_pixels(self) -> None:
        confusion = np.array(CONFUSION)
        np.testing.assert_array_equal(compute_iou(0.5 * confusion), compute_iou(confusion))


class TestMiou:
    def test_absent_classes_are_left_out_and_named(self) -> None:
        value, absent = compute_miou(np.array(CONFUSION), range(5))
        assert value == pytest.approx((2 / 4 + 2 / 3 + 1 / 2) / 3)
        assert absent == (3, 4)

    def test_a_class_that_is_only_predicted_is_absent(self) -> None:
        assert compute_miou(np.array([[3, 1], [0, 0]]), range(2)) == (3 / 4, (1,))

    def test_only_the_classes_asked_for_are_averaged(self) -> None:
        value, absent = compute_miou(np.array(CONFUSION), (1, 2, 4))
        assert value == pytest.approx((2 / 3 + 1 / 2) / 2)
        assert absent == (4,)

    def test_all_absent(self) -> None:
        value, absent = compute_miou(np.zeros((3, 3), dtype=np.int64), (1, 2))
        assert isnan(value)
        assert absent == (1, 2)

    @given(CONFUSIONS)
    def test_all_right_is_one_and_the_value_never_leaves_zero_to_one(
        self, confusion: np.ndarray
    ) -> None:
        value, absent = compute_miou(confusion, range(len(confusion)))
        assert isnan(value) if len(absent) == len(confusion) else 0 <= value <= 1
        right, _ = compute_miou(np.diag(1 + np.diagonal(confusion)), range(len(confusion)))
        assert right == 1

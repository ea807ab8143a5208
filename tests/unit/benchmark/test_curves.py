"""Curves and the three maxima of F by hand, against loops, and summed in several processes."""

from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heap.benchmark.metrics.curves import (
    THRESHOLDS,
    compute_max_f_sod,
    compute_max_f_tokencut,
    curves_from_row,
    curves_to_row,
    max_f_found,
    update_curves,
)

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
EIGHT_BIT = np.arange(256, dtype=np.float32) / 255
LEVELS = st.one_of(st.sampled_from(EIGHT_BIT.tolist()), st.floats(0, 1, width=32))
"""What a pixel can be: often exactly a threshold."""


def one_row(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


def truth_of(*values: int) -> np.ndarray:
    return np.array([values], dtype=bool)


PAIR = (
    (one_row(1.0, 0.4, 0.4, 0.0), truth_of(1, 1, 0, 0)),
    (one_row(0.4, 1.0, 0.0, 0.0), truth_of(1, 0, 0, 0)),
)
"""Two images, and two cases of threshold. Below 0.4 the first has precision 2/3 and recall 1, the
second 1/2 and 1; from 0.4 on the first has 1 and 1/2, the second 0 and 0."""


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    height, width = random.integers(24, 65, size=2)
    prediction = random.random((height, width), dtype=np.float32)
    truth = random.random((height, width)) < random.choice([0, 0.1, 0.6, 1])
    return prediction, truth, random.random((height, width)) < 0.9


def summed(seeds: range) -> np.ndarray:
    return sum((update_curves(*random_case(seed)) for seed in seeds), start=np.zeros((4, 255)))


class TestThresholds:
    def test_there_are_255_below_one(self) -> None:
        assert THRESHOLDS.shape == (255,)
        np.testing.assert_array_equal(THRESHOLDS, EIGHT_BIT[:255])

    @pytest.mark.parametrize("level", [0, 1, 33, 127, 244, 254, 255])
    def test_a_pixel_is_above_the_thresholds_below_its_value_only(self, level: int) -> None:
        recall = update_curves(one_row(EIGHT_BIT[level]), truth_of(1))[2]
        assert recall.tolist() == [1] * level + [0] * (255 - level)


class TestOneImage:
    @given(st.data())
    def test_counts_as_a_loop_over_the_thresholds_does(self, data: st.DataObject) -> None:
        prediction = data.draw(arrays(np.float32, SIZES, elements=LEVELS))
        truth = data.draw(arrays(bool, prediction.shape))
        valid = data.draw(arrays(bool, prediction.shape))
        curves = update_curves(prediction, truth, valid)
        for index, threshold in enumerate(THRESHOLDS):
            mask = (prediction > threshold) & valid
            right, there = (mask & truth).sum(), (truth & valid).sum()
            precision = right / mask.sum() if mask.any() else 1
            recall = right / there if there else 1
            assert curves[:3, index].tolist() == [1, precision, recall]

    @given(st.data())
    def test_void_pixels_might_as_well_be_cut_off(self, data: st.DataObject) -> None:
        prediction = data.draw(arrays(np.float32, SIZES, elements=LEVELS))
        truth = data.draw(arrays(bool, prediction.shape))
        rows = data.draw(st.integers(1, prediction.shape[0]))
        valid = np.zeros_like(truth)
        valid[:rows] = True
        np.testing.assert_array_equal(
            update_curves(prediction, truth, valid), update_curves(prediction[:rows], truth[:rows])
        )
        assert max_f_found(prediction, truth, valid) == max_f_found(prediction[:rows], truth[:rows])

    def test_f_by_hand(self) -> None:
        curves = update_curves(*PAIR[0])
        for low in (0, 101):
            assert curves[:, low].tolist() == pytest.approx([1, 2 / 3, 1, 13 / 18])
        for high in (102, 254):
            assert curves[:, high].tolist() == pytest.approx([1, 1, 1 / 2, 13 / 16])

    def test_the_first_of_the_best_thresholds_is_named(self) -> None:
        curves = update_curves(*PAIR[0])
        for value, index in (compute_max_f_tokencut(curves), compute_max_f_sod(curves)):
            assert value == pytest.approx(13 / 16)
            assert index == 102


class TestEdges:
    """Precision, recall and F at every threshold; FOUND's maximum."""

    def check(
        self, prediction: np.ndarray, truth: np.ndarray, at_all: tuple[int, int, int], best: int
    ) -> None:
        curves = update_curves(prediction, truth)
        assert np.unique(curves[1:], axis=1).T.tolist() == [list(at_all)]
        assert max_f_found(prediction, truth) == best

    def test_nothing_predicted(self) -> None:
        self.check(one_row(0, 0), truth_of(1, 0), (1, 0, 0), 0)

    def test_nothing_there(self) -> None:
        self.check(one_row(1, 0), truth_of(0, 0), (0, 1, 0), 0)

    def test_nothing_there_and_nothing_predicted(self) -> None:
        self.check(one_row(0, 0), truth_of(0, 0), (1, 1, 1), 1)

    def test_all_foreground_and_all_predicted(self) -> None:
        self.check(one_row(1, 1), truth_of(1, 1), (1, 1, 1), 1)

    def test_all_that_is_predicted_is_wrong(self) -> None:
        self.check(one_row(1, 0), truth_of(0, 1), (0, 0, 0), 0)

    def test_all_void(self) -> None:
        curves = update_curves(one_row(1, 0), truth_of(0, 1), truth_of(0, 0))
        assert (curves == 1).all()
        assert max_f_found(one_row(1, 0), truth_of(0, 1), truth_of(0, 0)) == 1


class TestThreeMaxima:
    TOKENCUT = (13 / 18 + 13 / 23) / 2
    """Below 0.4: 1.3 · 2/3 / (0.3 · 2/3 + 1) and 1.3 · 1/2 / (0.3 · 1/2 + 1). From 0.4 on 13/16
    and 0, which is less."""
    SOD = 91 / 141
    """Below 0.4, mean precision 7/12 and recall 1: 1.3 · 7/12 / (0.3 · 7/12 + 1). From 0.4 on, 1/2
    and 1/4, it is 13/32."""
    FOUND = (109 / 118 + 109 / 209) / 2
    """The first from 0.4 on, 1.09 · 1/2 / (0.09 + 1/2); the second below, 1.09 · 1/2 / (0.09 · 1/2
    + 1)."""

    def test_by_hand(self) -> None:
        state = update_curves(*PAIR[0]) + update_curves(*PAIR[1])
        assert compute_max_f_tokencut(state) == pytest.approx((self.TOKENCUT, 0))
        assert compute_max_f_sod(state) == pytest.approx((self.SOD, 0))
        assert np.mean([max_f_found(*each) for each in PAIR]) == pytest.approx(self.FOUND)

    def test_they_differ(self) -> None:
        found = np.mean([max_f_found(*each) for each in PAIR])
        state = update_curves(*PAIR[0]) + update_curves(*PAIR[1])
        tokencut, sod = compute_max_f_tokencut(state)[0], compute_max_f_sod(state)[0]
        assert abs(tokencut - sod) > 0.001
        assert min(abs(found - tokencut), abs(found - sod)) > 0.07

    def test_of_a_mask_they_differ_too(self) -> None:
        # A mask is the same at each threshold: only β² and the order of the means are left.
        masks = (
            (one_row(1, 1, 1, 0), truth_of(1, 1, 0, 0)),
            (one_row(1, 1, 0, 0), truth_of(1, 0, 0, 0)),
        )
        state = update_curves(*masks[0]) + update_curves(*masks[1])
        assert compute_max_f_tokencut(state)[0] == pytest.approx(self.TOKENCUT)
        assert compute_max_f_sod(state)[0] == pytest.approx(self.SOD)
        found = np.mean([max_f_found(*each) for each in masks])
        assert found == pytest.approx((109 / 159 + 109 / 209) / 2)


def test_the_state_of_an_image_survives_as_text() -> None:
    for seed in range(20):
        state = update_curves(*random_case(seed))
        np.testing.assert_allclose(curves_from_row(curves_to_row(state)), state, rtol=1e-6)


def test_states_add_up_over_processes() -> None:
    parts = [range(333), range(333, 666), range(666, 1000)]
    with get_context("spawn").Pool(3) as pool:
        apart = sum(pool.map(summed, parts), start=np.zeros((4, 255)))
    whole = summed(range(1000))
    assert (apart[0] == 1000).all()
    np.testing.assert_allclose(apart, whole, rtol=1e-12)
    assert compute_max_f_tokencut(apart) == pytest.approx(compute_max_f_tokencut(whole))
    assert compute_max_f_sod(apart) == pytest.approx(compute_max_f_sod(whole))

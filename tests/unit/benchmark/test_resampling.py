"""Intervals: as wide as they should be, the same for the same seed, and within bounds of memory."""

import numpy as np
import pytest

from heap.benchmark.metrics.resampling import bootstrap_interval


def mean(state: np.ndarray) -> float:
    return float(state[1] / state[0])


def counted(values: np.ndarray) -> np.ndarray:
    """States whose sum is the number of the values and their sum."""
    return np.stack([np.ones_like(values), values], axis=1)


def class_ious(confusion: np.ndarray) -> np.ndarray:
    right = confusion.diagonal()
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    ious: np.ndarray = right / union
    return ious


class TestBootstrapInterval:
    def test_equal_values_leave_no_doubt(self) -> None:
        assert bootstrap_interval(np.full(20, 0.25)) == (0.25, 0.25)

    def test_is_as_wide_as_the_standard_error_says(self) -> None:
        values = np.tile([0.0, 1.0], 200)
        low, high = bootstrap_interval(values)
        assert (low, high) == pytest.approx((0.5 - 0.049, 0.5 + 0.049), abs=0.003)

    def test_the_seed_decides(self) -> None:
        values = np.random.default_rng(1).random(30)
        assert bootstrap_interval(values, 5) == bootstrap_interval(values, 5)
        assert bootstrap_interval(values, 5) != bootstrap_interval(values, 6)
        assert bootstrap_interval(values) == bootstrap_interval(values, 0)

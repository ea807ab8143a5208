"""Intervals: as wide as they should be, the same for the same seed, and within bounds of memory."""

import tracemalloc

import numpy as np
import pytest

from heap.evaluation.metrics.curves import compute_max_f_tokencut, update_curves
from heap.evaluation.metrics.resampling import bootstrap_interval, resampled


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


class TestResampled:
    def test_of_a_mean_is_the_interval_of_the_mean(self) -> None:
        values = np.random.default_rng(0).random(300)
        low, high = bootstrap_interval(values)
        assert resampled(counted(values), mean) == pytest.approx(
            [low, high], abs=0.1 * (high - low)
        )

    def test_equal_states_leave_no_doubt(self) -> None:
        assert resampled(counted(np.full(7, 0.25)), mean).tolist() == [0.25, 0.25]

    def test_one_image_is_all_there_is_to_draw(self) -> None:
        assert resampled(counted(np.array([0.75])), mean).tolist() == [0.75, 0.75]

    def test_the_seed_decides(self) -> None:
        states = counted(np.random.default_rng(1).random(30))
        first, again = (resampled(states, mean, seed=5) for _ in range(2))
        assert first.tolist() == again.tolist()
        assert first.tolist() != resampled(states, mean, seed=6).tolist()

    @pytest.mark.parametrize("resamples", [1, 99, 100, 101, 250])
    def test_as_many_resamples_as_asked_for(self, resamples: int) -> None:
        seen: list[float] = []

        def compute(state: np.ndarray) -> float:
            seen.append(float(state[0]))
            return mean(state)

        resampled(counted(np.arange(9.0)), compute, resamples=resamples)
        assert seen == [9] * resamples

    def test_each_value_of_a_vector_has_its_interval(self) -> None:
        random = np.random.default_rng(2)
        states = random.poisson(20, size=(60, 3, 3)) + np.diag([80.0, 40.0, 0.0])
        low, high = resampled(states, class_ious)
        value = class_ious(states.sum(axis=0))
        assert (low < value).all()
        assert (value < high).all()
        first = resampled(states, lambda state: float(class_ious(state)[0]))
        assert first.tolist() == [low[0], high[0]]

    def test_two_methods_on_the_same_images_are_paired(self) -> None:
        hard = np.random.default_rng(3).random(100)
        pairs = np.stack([counted(hard), counted(hard - 0.01)], axis=1)
        low, high = resampled(pairs, lambda state: mean(state[0]) - mean(state[1]))
        assert (low, high) == pytest.approx((0.01, 0.01))

    def test_of_curves(self) -> None:
        random = np.random.default_rng(4)
        truth = random.random((50, 8, 8)) < 0.4
        soft = np.clip(0.5 * truth + random.random(truth.shape) * 0.7, 0, 1).astype(np.float32)
        states = np.stack(list(map(update_curves, soft, truth)))
        low, high = resampled(states, lambda state: compute_max_f_tokencut(state)[0])
        value, _ = compute_max_f_tokencut(states.sum(axis=0))
        assert low < value < high
        assert high - low < 0.1

    def test_the_resamples_are_not_all_held_in_memory(self) -> None:
        states = np.random.default_rng(5).random((5000, 21, 21))
        tracemalloc.start()
        resampled(states, lambda state: float(class_ious(state).mean()))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2000 * 5000 * 8 / 3  # a third of the weights of all of them

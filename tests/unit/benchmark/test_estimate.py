import numpy as np
import pytest
from scipy.stats import bootstrap

from heap.benchmark.metrics.detection import update_detection
from heap.benchmark.results.estimate import Means, OfDetections, OfSums, draw_weights


def ratio(total: np.ndarray) -> list[float]:
    return [float(total[0] / total[1])]


def test_a_value_counts_each_image_once() -> None:
    scores = np.array([[1.0, 0.0], [0.0, 0.5], [1.0, 1.0]])
    assert Means(("hit", "iou"), scores).value() == {"hit": pytest.approx(2 / 3), "iou": 0.5}


def test_a_ratio_of_sums_is_no_mean_of_ratios() -> None:
    states = np.array([[1.0, 1.0], [0.0, 3.0]])
    assert OfSums(("share",), states, ratio).value() == {"share": 0.25}


def test_the_interval_of_a_mean_is_that_of_scipy() -> None:
    values = np.random.default_rng(3).random(80)
    found = Means(("iou",), values[:, None]).estimate()["iou"]
    expected = bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    # Two draws of 10,000 resamples differ by about a fiftieth of a standard error.
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=3e-3)
    assert found.low < found.value < found.high


def test_a_difference_is_paired() -> None:
    random = np.random.default_rng(0)
    easy = random.random(200)
    ours = Means(("iou",), (easy + 0.01)[:, None])
    theirs = Means(("iou",), easy[:, None])
    found = ours.difference(theirs)["iou"]
    # The images differ much, the methods always by the same: nothing is left to chance.
    assert (found.value, found.low, found.high) == pytest.approx((0.01, 0.01, 0.01))
    assert ours.estimate()["iou"].low < theirs.estimate()["iou"].high


def test_values_of_other_images_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same names and images"):
        Means(("iou",), np.ones((3, 1))).difference(Means(("iou",), np.ones((4, 1))))


def test_each_resample_draws_as_many_images_as_there_are() -> None:
    drawn = np.concatenate(list(draw_weights(7, 600, seed=1)))
    assert drawn.shape == (600, 7)
    assert (drawn.sum(axis=1) == 7).all()
    assert np.array_equal(drawn, np.concatenate(list(draw_weights(7, 600, seed=1))))
    assert not np.array_equal(drawn, np.concatenate(list(draw_weights(7, 600, seed=2))))


def test_average_precision_has_an_interval_too() -> None:
    random = np.random.default_rng(4)
    crowds = np.zeros(1, dtype=bool)
    states = [update_detection(random.random(2), random.random((2, 1)), crowds) for _ in range(40)]
    found = OfDetections(states).estimate()
    assert found["AP50"].low < found["AP50"].value < found["AP50"].high
    doubled = np.concatenate([np.full((1, 20), 2.0), np.zeros((1, 20))], axis=1)
    # Twice the first half is the same as that half alone.
    half = OfDetections(states[:20]).value()
    assert OfDetections(states).at(doubled)[0] == pytest.approx(list(half.values()))


def test_what_is_not_defined_stays_so() -> None:
    none = update_detection(np.zeros(0), np.zeros((0, 0)), np.zeros(0, dtype=bool))
    found = OfDetections([none, none]).estimate()["AP"]
    assert np.isnan([found.value, found.low, found.high]).all()

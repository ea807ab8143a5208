"""The saliency metrics against pysodmetrics, torchmetrics and SciPy, on a thousand cases each."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap
from torchmetrics.functional.classification import (
    binary_accuracy,
    binary_jaccard_index,
    binary_precision_recall_curve,
    multilabel_fbeta_score,
)
from torchmetrics.functional.regression import mean_absolute_error as torch_error

from heap.benchmark.metrics.curves import (
    BETA_SQUARE,
    BETA_SQUARE_FOUND,
    THRESHOLDS,
    compute_max_f_sod,
    compute_max_f_tokencut,
    max_f_found,
    update_curves,
)
from heap.benchmark.metrics.masks import mask_iou, mean_absolute_error, pixel_accuracy
from heap.benchmark.metrics.structure import s_measure
from heap.benchmark.results.estimate import OfSums

CASES = 1000
VOID = -1
Case = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def sod() -> ModuleType:
    """pysodmetrics, which imports OpenCV for two measures that are not used here.

    OpenCV is no dependency: an empty module stands in for it while pysodmetrics is imported.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cv2", ModuleType("cv2"))
        return importlib.import_module("py_sod_metrics")


def cases(seed: int) -> Iterator[Case]:
    """Maps, truths and what is not void, everything and nothing of each among them."""
    random = np.random.default_rng(seed)
    for _ in range(CASES):
        height, width = random.integers(24, 33, size=2)
        truth = random.random((height, width)) < random.choice([0, 0.05, 0.3, 0.8, 1])
        soft = random.random((height, width)) ** random.choice([0.5, 2])
        # From noise to nearly the truth; then from nothing at all to everything.
        share, reach = random.random(), random.choice([0, 0.3, 1], p=[0.1, 0.2, 0.7])
        prediction = ((1 - share) * soft + share * truth) * reach
        if random.random() < 0.5:
            prediction = np.round(prediction * 255) / 255
        if random.random() < 0.1:
            prediction = np.ones_like(prediction)
        valid = random.random((height, width)) < random.choice([0, 0.5, 1], p=[0.02, 0.28, 0.7])
        yield prediction.astype(np.float32), truth, valid


def tensors(truth: np.ndarray, valid: np.ndarray) -> torch.Tensor:
    """The truth as torchmetrics wants it."""
    return torch.from_numpy(np.where(valid, truth, VOID).astype(np.int64))


@pytest.mark.fault("F42")
def test_masks_are_scored_as_by_torchmetrics() -> None:
    for prediction, truth, valid in cases(0):
        mask = prediction > 0.5
        ours = mask_iou(mask, truth, valid), pixel_accuracy(mask, truth, valid)
        target, predicted = tensors(truth, valid), torch.from_numpy(mask.astype(np.int64))
        iou = binary_jaccard_index(predicted, target, ignore_index=VOID).item()
        accuracy = binary_accuracy(predicted, target, ignore_index=VOID).item()
        # By hand where theirs, which are 0 then, divide by nothing.
        nothing = not (mask & valid).any() and not (truth & valid).any()
        expected = 1.0 if nothing else iou, accuracy if valid.any() else 1.0
        assert ours == pytest.approx(expected, abs=1e-6)


def test_the_error_is_that_of_torchmetrics_and_of_pysodmetrics(sod: ModuleType) -> None:
    theirs = sod.MAE()
    for prediction, truth, valid in cases(1):
        expected = theirs.cal_mae(prediction.astype(np.float64), truth)
        assert mean_absolute_error(prediction, truth) == pytest.approx(expected, abs=1e-12)
        if valid.any():
            scored = torch.from_numpy(prediction[valid]).double()
            error = torch_error(scored, torch.from_numpy(truth[valid]).double()).item()
            assert mean_absolute_error(prediction, truth, valid) == pytest.approx(error, abs=1e-12)


def test_precision_and_recall_are_those_of_torchmetrics() -> None:
    # Every fourth: theirs are slow. Theirs is "at least": at least the next number is above.
    thresholds = THRESHOLDS[::4]
    above = torch.from_numpy(np.nextafter(thresholds, np.float32(2)))
    for prediction, truth, valid in cases(2):
        precision, recall, _ = binary_precision_recall_curve(
            torch.from_numpy(prediction), tensors(truth, valid), above, ignore_index=VOID
        )
        curves = update_curves(prediction, truth, valid)[:, ::4]
        # By hand where theirs, which are 0 then, divide by nothing.
        silent = prediction[valid].max(initial=0) <= thresholds
        expected = np.where(silent, 1, precision[:-1].numpy())
        np.testing.assert_allclose(curves[1], expected, atol=1e-6)
        there = (truth & valid).any()
        np.testing.assert_allclose(curves[2], recall[:-1].numpy() if there else 1, atol=1e-6)


@pytest.mark.parametrize("beta_square", [BETA_SQUARE, BETA_SQUARE_FOUND])
def test_f_at_each_threshold_is_that_of_torchmetrics(beta_square: float) -> None:
    # One label for each threshold; small images, as there are many.
    for prediction, truth, valid in (tuple(each[:12, :12] for each in case) for case in cases(3)):
        masks = prediction[valid][:, None] > THRESHOLDS
        targets = np.broadcast_to(truth[valid][:, None], masks.shape)
        if targets.any():
            expected = multilabel_fbeta_score(
                torch.from_numpy(masks.astype(np.int64)),
                torch.from_numpy(targets.astype(np.int64)),
                beta_square**0.5,
                len(THRESHOLDS),
                average="none",
            ).numpy()
        else:  # theirs is 0 then; to find nothing is right
            expected = np.where(masks.any(axis=0), 0.0, 1.0)
        if beta_square == BETA_SQUARE:
            f = update_curves(prediction, truth, valid)[3]
            np.testing.assert_allclose(f, expected, atol=1e-6)
        else:
            found = max_f_found(prediction, truth, valid)
            assert found == pytest.approx(expected.max(), abs=1e-6)


@pytest.mark.fault("F42")
def test_the_figures_of_a_data_set_are_those_of_pysodmetrics(sod: ModuleType) -> None:
    random = np.random.default_rng(4)
    theirs = sod.FmeasureV2()
    for name in ("Precision", "Recall", "Fmeasure"):
        handler = getattr(sod, f"{name}Handler")
        beta = {"beta": BETA_SQUARE} if name == "Fmeasure" else {}
        theirs.add_handler(name, handler(with_dynamic=True, with_adaptive=False, **beta))
    state = np.zeros((4, len(THRESHOLDS)))
    for _, truth, _ in cases(4):
        truth[0, 0] = True  # without any their recall is another
        levels = random.integers(0, 255, size=truth.shape) * (1 + truth) // 2
        levels[-1, -1] = 254  # where nothing is predicted their precision is 0
        # They round down to levels, and take levels from the threshold on: half a level is between.
        prediction = ((levels + 0.5) / 255).astype(np.float32)
        theirs.step(prediction, truth, normalize=False)
        state += update_curves(prediction, truth)
    # Theirs begin with the highest of 256 levels, which no map has here.
    means = {name: result["dynamic"][:0:-1] for name, result in theirs.get_results().items()}
    expected = np.stack([means["Precision"], means["Recall"], means["Fmeasure"]])
    np.testing.assert_allclose(state[1:] / state[0], expected, rtol=1e-12)
    assert compute_max_f_tokencut(state)[0] == pytest.approx(means["Fmeasure"].max())
    precision, recall = means["Precision"], means["Recall"]
    f = 1.3 * precision * recall / (0.3 * precision + recall)
    assert compute_max_f_sod(state) == pytest.approx((f.max(), f.argmax()))


def test_the_s_measure_is_that_of_pysodmetrics(sod: ModuleType) -> None:
    theirs, compared = sod.Smeasure(), 0
    for prediction, truth, valid in cases(5):
        for scored in (None, valid):
            seen = np.ones_like(truth) if scored is None else scored
            soft, there = (prediction * seen).astype(np.float64), truth & seen
            expected = theirs.cal_sm(soft, there)
            assert s_measure(prediction, truth, scored) == pytest.approx(expected, abs=1e-9)
            compared += 1
    assert compared == 2 * CASES


def test_the_s_measure_of_masks_is_that_of_pysodmetrics(sod: ModuleType) -> None:
    random = np.random.default_rng(6)
    theirs = sod.Smeasure()
    for _ in range(CASES):
        mask, truth = np.zeros((2, 28, 24), dtype=bool)
        for shape in (mask, truth):
            top, left = random.integers(0, 16, size=2)
            shape[top : top + random.integers(1, 12), left : left + random.integers(1, 8)] = True
        expected = theirs.cal_sm(mask.astype(np.float64), truth)
        assert s_measure(mask.astype(np.float32), truth) == pytest.approx(expected, abs=1e-9)


def test_the_interval_of_a_ratio_is_that_of_scipy() -> None:
    random = np.random.default_rng(7)
    states = random.poisson([[[8, 2], [3, 5]]], size=(150, 2, 2)).astype(np.float64)

    def iou(state: np.ndarray) -> float:
        return float(state[0, 0] / (state[0, 0] + state[0, 1] + state[1, 0]))

    theirs = bootstrap(
        (np.arange(len(states)),),
        lambda drawn: iou(states[drawn].sum(axis=0)),
        n_resamples=5000,
        vectorized=False,
        method="percentile",
        rng=random,
    ).confidence_interval
    flat = OfSums(("iou",), states.reshape(len(states), -1), lambda s: [iou(s.reshape(2, 2))], 5000)
    found = flat.estimate()["iou"]
    ours = found.low, found.high
    # Both draw at random.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.07 * (theirs.high - theirs.low))

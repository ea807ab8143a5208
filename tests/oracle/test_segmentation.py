"""Confusions and IoU of classes against torchmetrics and SciPy, on a thousand random maps."""

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_jaccard_index,
)

from heap.benchmark.metrics.segmentation import compute_iou, compute_miou, update_confusion
from heap.benchmark.truth import VOID


def random_maps(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """A prediction that is often right, a truth with void and absent classes, and their number."""
    classes = int(random.integers(2, 8))
    size = random.integers(1, 12, size=2)
    truth = random.integers(0, random.integers(1, classes + 1), size=size)
    guess = random.integers(0, random.integers(1, classes + 1), size=size)
    prediction = np.where(random.random(size) < random.random(), truth, guess)
    void = random.random(size) < random.choice([0, 0.3, 1], p=[0.4, 0.55, 0.05])
    return prediction, np.where(void, VOID, truth).astype(np.uint8), classes


def test_one_thousand_maps() -> None:
    random = np.random.default_rng(0)
    for _ in range(1000):
        prediction, truth, classes = random_maps(random)
        confusion = update_confusion(prediction, truth, classes)
        tensors = torch.from_numpy(prediction), torch.from_numpy(truth.astype(np.int64))
        theirs = multiclass_confusion_matrix(*tensors, classes, ignore_index=VOID)
        np.testing.assert_array_equal(confusion, theirs.numpy())
        shared = multiclass_jaccard_index(
            *tensors, classes, average="none", ignore_index=VOID
        ).numpy()
        # torchmetrics says 0 where a class is neither true nor predicted.
        np.testing.assert_allclose(np.nan_to_num(compute_iou(confusion)), shared, rtol=1e-6)
        value, absent = compute_miou(confusion, range(classes))
        present = [each for each in range(classes) if each in truth]
        assert sorted([*absent, *present]) == [*range(classes)]
        assert value == pytest.approx(shared[present].mean() if present else np.nan, nan_ok=True)


def test_the_sum_of_images_is_the_confusion_of_all_their_pixels() -> None:
    random = np.random.default_rng(1)
    drawn = [random_maps(random)[:2] for _ in range(200)]
    total = sum(update_confusion(prediction, truth, 8) for prediction, truth in drawn)
    prediction, truth = (np.concatenate([each[side].ravel() for each in drawn]) for side in (0, 1))
    kept = truth != VOID
    pixels = np.ones(int(kept.sum()), dtype=np.int64)
    expected = coo_array((pixels, (truth[kept], prediction[kept])), shape=(8, 8)).toarray()
    np.testing.assert_array_equal(total, expected)

"""Scores of the mask, or of the soft map, of one image against the truth.

An empty result is a miss and has IoU 0; where the truth is empty too, there is nothing to find and
the IoU is 1. Pixels that are not `valid` (void in the truth) are left out; where no pixel is valid
nothing can be wrong: IoU 1, accuracy 1, error 0.
"""

import numpy as np
from jaxtyping import Bool, Float

Mask = Bool[np.ndarray, "height width"]


def mask_iou(prediction: Mask, truth: Mask, valid: Mask | None = None) -> float:
    """Intersection over union, in [0, 1]."""
    if valid is not None:
        prediction, truth = prediction[valid], truth[valid]
    union = np.count_nonzero(prediction | truth)
    return np.count_nonzero(prediction & truth) / union if union else 1.0


def pixel_accuracy(prediction: Mask, truth: Mask, valid: Mask | None = None) -> float:
    """Share of the pixels, foreground or background, that are right."""
    right = prediction == truth
    if valid is not None:
        right = right[valid]
    return np.count_nonzero(right) / right.size if right.size else 1.0


def mean_absolute_error(
    prediction: Float[np.ndarray, "height width"], truth: Mask, valid: Mask | None = None
) -> float:
    """Mean distance of a map in [0, 1] from the truth, which is 0 or 1; 0 is best."""
    errors = np.abs(prediction.astype(np.float64) - truth)
    if valid is not None:
        errors = errors[valid]
    return float(errors.mean()) if errors.size else 0.0

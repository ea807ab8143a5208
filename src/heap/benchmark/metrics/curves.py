"""Precision, recall and F of a soft map at 255 thresholds, and the three maxima of F in use.

A pixel is foreground where the map is above the threshold, strictly. At the edges: precision is 1
where nothing is predicted and recall is 1 where there is nothing to find, so that finding nothing
in an empty image is right (F = 1); F is 0 where precision and recall are both 0.

The three maxima are different figures and must never be compared with each other:

- TokenCut, LOST (β² = 0.3): mean F of the images at each threshold, then its maximum;
- classic (β² = 0.3): F of the mean precision and the mean recall at each, then its maximum;
- SelfMask, FOUND (β² = 0.09, as 0.3 is squared once more there): maximum of each image, then their
  mean. Each image has a threshold of its own, so this one flatters soft maps.
"""

from base64 import b64decode, b64encode

import numpy as np
from jaxtyping import Float32, Float64, Int64

from heap.benchmark.metrics.masks import Mask

THRESHOLDS = np.arange(0, 1, 1 / 255).astype(np.float32)
"""Thresholds in float32, as the maps are: rounded alike, an 8-bit value is never above its own."""
BETA_SQUARE = 0.3
BETA_SQUARE_FOUND = BETA_SQUARE**2

SoftMap = Float32[np.ndarray, "height width"]
Curves = Float64[np.ndarray, "4 threshold"]
"""Sums over images: their number, precision, recall, and F with β² = 0.3."""
Column = Float64[np.ndarray, " threshold"]


def update_curves(prediction: SoftMap, truth: Mask, valid: Mask | None = None) -> Curves:
    """State of one image, from a map in [0, 1]; pixels that are not `valid` are left out."""
    precision, recall = _precision_recall(prediction, truth, valid)
    f = f_measure(precision, recall)
    return np.stack([np.ones_like(f), precision, recall, f])


def curves_to_row(state: Curves) -> str:
    """Encode the state of one image as text in single precision; as JSON it is ten times as long.

    Journals of large data sets are read whole when an evaluation ends.
    """
    return b64encode(state[1:3].astype("<f4").tobytes()).decode("ascii")


def curves_from_row(row: str) -> Curves:
    """Decode the state that `curves_to_row` wrote."""
    planes = np.frombuffer(b64decode(row), dtype="<f4").reshape(2, -1).astype(np.float64)
    precision, recall = planes
    return np.stack([np.ones_like(recall), precision, recall, f_measure(precision, recall)])


def compute_max_f_tokencut(state: Curves) -> tuple[float, int]:
    """Largest mean F of the images, of which there is at least one; the index of its threshold."""
    return _first_maximum(state[3] / state[0])


def compute_max_f_sod(state: Curves) -> tuple[float, int]:
    """Largest F of the means over images, at least one; the index of its threshold."""
    return _first_maximum(f_measure(state[1] / state[0], state[2] / state[0]))


def max_f_found(prediction: SoftMap, truth: Mask, valid: Mask | None = None) -> float:
    """Largest F, with β² = 0.09, of one image; SelfMask's and FOUND's figure is their mean."""
    precision, recall = _precision_recall(prediction, truth, valid)
    return float(f_measure(precision, recall, BETA_SQUARE_FOUND).max())


def f_measure(precision: Column, recall: Column, beta_square: float = BETA_SQUARE) -> Column:
    """(1 + β²) P R / (β² P + R); 0 where both are 0."""
    below = beta_square * precision + recall
    above = (1 + beta_square) * precision * recall
    return _ratio(above, below, otherwise=0.0)


def _precision_recall(
    prediction: SoftMap, truth: Mask, valid: Mask | None
) -> tuple[Column, Column]:
    if valid is not None:
        prediction, truth = prediction[valid], truth[valid]
    # Number of thresholds that each pixel is above; one histogram of that gives all the counts.
    passed = np.searchsorted(THRESHOLDS, prediction, side="left")
    predicted, right = _above(passed), _above(passed[truth])
    there = np.full_like(right, np.count_nonzero(truth))
    return _ratio(right, predicted, otherwise=1.0), _ratio(right, there, otherwise=1.0)


def _above(passed: Int64[np.ndarray, "*pixel"]) -> Column:
    """Number of pixels above each threshold."""
    histogram = np.bincount(passed.ravel(), minlength=len(THRESHOLDS) + 1)
    above: np.ndarray = histogram[::-1].cumsum()[::-1][1:].astype(np.float64)
    return above


def _ratio(above: Column, below: Column, otherwise: float) -> Column:
    """The quotient, and `otherwise` where it would be by zero."""
    quotient: np.ndarray = np.divide(
        above, below, out=np.full_like(above, otherwise), where=below > 0
    )
    return quotient


def _first_maximum(curve: Column) -> tuple[float, int]:
    index = int(curve.argmax())
    return float(curve[index]), index

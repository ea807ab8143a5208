"""IoU of classes over a whole data set, from the pixels counted by class.

A confusion counts pixels: row the class in the truth, column the predicted one. Confusions of
images add up, and may be weighted before.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int, Int64, Real, UInt8

from heap.benchmark.truth import VOID


def update_confusion(
    prediction: Int[np.ndarray, "height width"],
    truth: UInt8[np.ndarray, "height width"],
    classes: int,
) -> Int64[np.ndarray, "{classes} {classes}"]:
    """State of one image; pixels that are `VOID` in the truth are left out.

    Raises:
        ValueError: for a class, predicted or true, that is not below `classes`.
    """
    scored = truth != VOID
    predicted, there = prediction[scored].astype(np.int64), truth[scored].astype(np.int64)
    for name, values in (("prediction", predicted), ("truth", there)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise ValueError(
                f"the {name} has class numbers from {values.min()} to {values.max()}, "
                f"where there are {classes} classes from 0"
            )
    counts = np.bincount(there * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def compute_iou(
    confusion: Real[np.ndarray, "class class"],
) -> Float64[np.ndarray, " class"]:
    """Intersection over union of each class; nan where it is neither true nor predicted."""
    right = np.diagonal(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - right
    iou: np.ndarray = np.divide(right, union, out=np.full_like(right, np.nan), where=union > 0)
    return iou


def compute_miou(
    confusion: Real[np.ndarray, "class class"], among: Sequence[int]
) -> tuple[float, tuple[int, ...]]:
    """Mean IoU of the classes `among`, and those of them that are absent from the truth.

    The absent ones are left out of the mean, even where they are predicted: such pixels count
    against the classes that they really have. nan where all are absent.
    """
    iou, true = compute_iou(confusion), confusion.sum(axis=1)
    absent = tuple(number for number in among if not true[number])
    present = [float(iou[number]) for number in among if true[number]]
    return (sum(present) / len(present) if present else float("nan")), absent

"""Input and output of every method: features and pixels; saliency, objects and regions."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8
from scipy.ndimage import label
from scipy.special import expit

from heap.features.describe import PatchFeatures

THRESHOLD = 0.5
"""Saliency above which a patch is foreground, for every method."""


@dataclass(frozen=True)
class Observed:
    """Features and pixels of one image, the input of a method."""

    features: PatchFeatures
    pixels: UInt8[np.ndarray, "height width 3"]
    """Upright original; the grid of the features covers all of it."""


@dataclass(frozen=True)
class GridObject:
    """Object on the patch grid."""

    cells: Bool[np.ndarray, "grid_h grid_w"]
    score: float
    """Score in [0, 1]; only its order within a data set matters."""


@dataclass(frozen=True)
class Finding:
    """Output of a method for one image."""

    saliency: Float32[np.ndarray, "grid_h grid_w"]
    """Values in [0, 1]; foreground is above `THRESHOLD`."""
    objects: tuple[GridObject, ...]
    """Disjoint parts of the foreground, best score first; none where nothing was found."""
    label_map: Int64[np.ndarray, "grid_h grid_w"] | None = None
    """Region of each patch, for methods that have regions."""
    region_embeddings: Float32[np.ndarray, "region dim"] | None = None
    """Embeddings of the regions by the method; `label_map` has the numbers of the rows."""
    whitened: Float32[np.ndarray, "patch dim"] | None = None
    """Features by which the method compares objects; None: as the encoder gives them."""
    proposals: tuple[GridObject, ...] = ()
    """Proposals, less sure than any object; they may overlap objects and each other."""
    logits: Float32[np.ndarray, "grid_h grid_w"] | None = None
    """Logits of the saliency, for a method that interpolates them; None: it interpolates the
    saliency."""

    @classmethod
    def of_saliency(cls, saliency: Float32[np.ndarray, "grid_h grid_w"]) -> "Finding":
        """Finding whose objects are the 4-connected foreground parts, see `connected_objects`."""
        return cls(saliency, connected_objects(saliency))

    @classmethod
    def of_logits(cls, logits: Float32[np.ndarray, "grid_h grid_w"]) -> "Finding":
        """Finding of a method that interpolates before its sigmoid, see `of_saliency`."""
        return replace(cls.of_saliency(expit(logits)), logits=logits)

    @classmethod
    def of_mask(cls, foreground: Bool[np.ndarray, "grid_h grid_w"]) -> "Finding":
        """Finding of a method that says yes or no, see `of_saliency`."""
        return cls.of_saliency(foreground.astype(np.float32))


Method = Callable[[Observed], Finding]


def connected_objects(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
) -> tuple[GridObject, ...]:
    """4-connected parts above `THRESHOLD`, best first; of equal scores the larger first.

    The score is the mean saliency of the part times its share of the foreground: without the share,
    a method that says yes or no would score a single stray patch as high as the main part.
    """
    numbered, count = label(saliency > THRESHOLD)  # SciPy's default is 4-connectivity
    parts = [numbered == number for number in range(1, count + 1)]
    foreground = np.count_nonzero(numbered)
    objects = [
        GridObject(cells, float(saliency[cells].mean()) * np.count_nonzero(cells) / foreground)
        for cells in parts
    ]
    return tuple(sorted(objects, key=lambda part: (-part.score, -np.count_nonzero(part.cells))))

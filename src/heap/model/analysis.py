"""Analysis of an image: all that its objects are made from, as arrays, whatever computed it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from heap.results import Regions


@dataclass(frozen=True)
class Analysis:
    """Saliency, regions and patches of an image, on the CPU: all that its objects are made from."""

    saliency: Float32[np.ndarray, "grid_h grid_w"]
    """Foreground probability of each patch, by its region and by its objectness; not finite if the
    head is damaged."""
    objectness: Float32[np.ndarray, "grid_h grid_w"]
    """Probability that a patch shows a thing, whatever else is in the image; 1 if the head has not
    learned it."""
    regions: Regions
    patches: Float32[np.ndarray, "patch dim"]
    """Features relative to the mean of the training images, row-major over the grid."""
    whitened: Float32[np.ndarray, "patch dim"]
    """Features after the head's whitening, which removes what most images have in common."""
    discriminant: Float32[np.ndarray, "patch dim"]
    """Features after the head's discriminant: their cosine tells whether pieces are one thing."""
    foreground: Float32[np.ndarray, " dim"]
    background: Float32[np.ndarray, " dim"]
    """Image-level embeddings F^f and F^b."""

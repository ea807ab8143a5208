"""One look of a fitted head at the features of an image: saliency, regions, whitened patches."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from heap.features.describe import PatchFeatures
from heap.model.head import Grouping, GroupingHead
from heap.model.regions import make_regions
from heap.results import Regions


@dataclass(frozen=True)
class Look:
    """What everything else about an image is made from, on the CPU."""

    saliency: Float32[np.ndarray, "grid_h grid_w"]
    """Foreground probability of each patch; not finite if the head is damaged."""
    regions: Regions
    patches: Float32[np.ndarray, "patch dim"]
    """Features relative to the mean of the training images, row-major over the grid."""
    whitened: Float32[np.ndarray, "patch dim"]
    """The same, in which what is common to most images does not count."""
    foreground: Float32[np.ndarray, " dim"]
    background: Float32[np.ndarray, " dim"]
    """Image-level embeddings F^f and F^b."""


@torch.inference_mode()
def look(head: GroupingHead, features: PatchFeatures, most: int) -> Look:
    """Look at one image with a head; at most so many regions."""
    image = features.patches.to(head.centre)
    grouping: Grouping = head(image[None])
    saliency = grouping.saliency[0].cpu()
    centred = head.centred(image)
    # Distances between features that are not finite have no hierarchy.
    regions = make_regions(centred.cpu(), saliency.nan_to_num(), features.grid, most)
    return Look(
        saliency.reshape(features.grid).numpy(),
        regions,
        centred.cpu().numpy(),
        head.whitening(centred).cpu().numpy(),
        grouping.image_foreground[0].cpu().numpy(),
        grouping.image_background[0].cpu().numpy(),
    )

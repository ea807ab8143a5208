"""Analysis of an image by a fitted head: saliency, regions and whitened patches."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from heap.features.describe import PatchFeatures
from heap.model.head import Grouping, GroupingHead
from heap.model.regions import make_regions
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


@torch.inference_mode()
def analyse(head: GroupingHead, features: PatchFeatures, max_regions: int) -> Analysis:
    """Analyse one image with a head."""
    image = features.patches.to(head.centre)
    grouping: Grouping = head(image[None])
    centred = head.subtract_centre(image)
    whitened = head.whitening(centred)
    objectness = head.objectness(whitened)
    saliency = head.objectness.blend(grouping.saliency[0], whitened).cpu()
    # The hierarchy of regions needs finite distances; the saliency itself is kept as it is, for the
    # caller to refuse.
    regions = make_regions(centred.cpu(), saliency.nan_to_num(), features.grid, max_regions)
    return Analysis(
        saliency.reshape(features.grid).numpy(),
        objectness.cpu().reshape(features.grid).numpy(),
        regions,
        centred.cpu().numpy(),
        whitened.cpu().numpy(),
        head.discriminant(whitened).cpu().numpy(),
        grouping.image_foreground[0].cpu().numpy(),
        grouping.image_background[0].cpu().numpy(),
    )

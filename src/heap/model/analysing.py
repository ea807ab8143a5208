"""Analysis of an image by a fitted head: saliency, regions and whitened patches."""

import torch

from heap.features.describe import PatchFeatures
from heap.model.analysis import Analysis
from heap.model.head import Grouping, GroupingHead
from heap.model.regions import make_regions


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

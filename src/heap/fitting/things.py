"""Training of objectness: objects that the head finds in the images, against their background."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.ndimage import label
from torch import Tensor

from heap.base.progress import OnProgress
from heap.features.describe import PatchFeatures
from heap.fitting.collect import Collected
from heap.fitting.empty import find_crops
from heap.model.analysis import Analysis
from heap.model.heap import Heap
from heap.model.objects import part_score

STAGE = "objectness"
_BACKGROUND_IMAGES = 400
"""Number of images that pieces of background are taken from, about; an image gives several."""
_CALIBRATION_IMAGES = 200
"""Number of images that objectness of patches is calibrated on, about."""
_MAX_SALIENCY = 0.2
"""Mean saliency below which a region is background."""
_MIN_AREA = 0.02
"""Least share of the image that such a region covers; smaller ones are scraps along edges."""


def learn_objectness(heap: Heap, images: Collected, on_progress: OnProgress) -> None:
    """Learn to tell things from background, by the saliency of the fitted head.

    Things are the best parts of the foreground of the images. Background are regions with hardly
    any saliency, and parts that the head takes for foreground in crops of nothing but background.
    Regions alone are too easy, for a head errs in images without an object; crops alone would teach
    that small things, scaled up, are background.
    """
    things, background, masks = [], [], []
    with_background = set(images.spread(_BACKGROUND_IMAGES))
    for index in range(len(images)):
        features = images[index]
        mask, thing = _foreground(heap, features)
        masks.append(mask)
        things += thing
        if index in with_background:
            background += list(_background(heap.analyse(features)))
        on_progress(STAGE, index + 1, len(images))
    crops = find_crops(images, masks, on_progress)
    for index in range(len(crops)):
        background += _foreground(heap, crops[index])[1]
    dim = len(heap.head.centre)
    heap.head.objectness.learn(_rows(things, dim), _rows(background, dim))
    _calibrate(heap, images, masks)


@torch.inference_mode()
def _calibrate(heap: Heap, images: Collected, masks: list[Tensor]) -> None:
    """Let objectness take as much of the images for things as the head takes for foreground."""
    sample, head = images.spread(_CALIBRATION_IMAGES), heap.head
    foreground = torch.cat([masks[index] for index in sample]).float().mean().item()
    patches = (images[index].patches.to(head.centre) for index in sample)
    head.objectness.calibrate(
        (head.whitening(head.subtract_centre(rows)) for rows in patches), foreground
    )


def _foreground(heap: Heap, features: PatchFeatures) -> tuple[Tensor, list[Tensor]]:
    """Patches that are foreground, and the mean whitened feature of their best part, if any."""
    saliency = heap.group(features).saliency[0].cpu().reshape(features.grid).numpy()
    config = heap.defaults
    numbered, count = label(saliency > config.threshold)
    parts = [cells for number in range(1, count + 1)
             if (cells := numbered == number).mean() >= config.min_area]  # fmt: skip
    mask = torch.from_numpy(saliency.ravel() > config.threshold)
    if not parts:
        return mask, []
    everything = np.ones_like(saliency)
    best = max(parts, key=lambda cells: part_score(saliency, everything, cells))
    patches = features.patches[torch.from_numpy(best.ravel())].to(heap.head.centre)
    return mask, [heap.head.whitening(heap.head.subtract_centre(patches)).mean(dim=0).cpu()]


def _background(analysis: Analysis) -> Iterator[Tensor]:
    """Mean whitened features of the regions that are background."""
    regions = analysis.regions.label_map
    for region in np.unique(regions):
        cells = regions == region
        if cells.mean() >= _MIN_AREA and analysis.saliency[cells].mean() < _MAX_SALIENCY:
            yield torch.from_numpy(analysis.whitened[cells.ravel()].mean(axis=0))


def _rows(means: list[Tensor], dim: int) -> Tensor:
    return torch.stack(means) if means else torch.zeros(0, dim)

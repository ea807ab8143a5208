"""Training on the things that the head finds in the images: objectness, and the discriminant."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.ndimage import label
from torch import Tensor

from heap.base.progress import OnProgress
from heap.base.sampling import spread_evenly
from heap.features.describe import PatchFeatures
from heap.fitting.collect import Collected
from heap.fitting.empty import find_crops
from heap.model.analysis import Analysis
from heap.model.heap import Heap
from heap.model.objects import part_score, smallest_half
from heap.model.separation import likeness

STAGE = "objectness"
_BACKGROUND_IMAGES = 400
"""Number of images that pieces of background are taken from, about; an image gives several."""
_CALIBRATION_IMAGES = 200
"""Number of images that objectness of patches is calibrated on, about."""
_HALVED_THINGS = 2000
"""Most things that are cut in two to see how unlike halves of one are; 500 are too few, by which
the cosine of one head was 0.641, and by 1,498 it is 0.614."""
_MAX_SALIENCY = 0.2
"""Mean saliency below which a region is background."""
_MIN_AREA = 0.02
"""Least share of the image that such a region covers; smaller ones are scraps along edges."""


def learn_things(heap: Heap, images: Collected, on_progress: OnProgress) -> None:
    """Learn to tell things from background, and from each other, by the saliency of a fitted head.

    Things are the best parts of the foreground of the images. Background are regions with hardly
    any saliency, and parts that the head takes for foreground in crops of nothing but background.
    Regions alone are too easy, for a head errs in images without an object; crops alone would teach
    that small things, scaled up, are background.
    """
    things: dict[int, Tensor] = {}
    means, background, masks = [], [], []
    with_background = set(images.spread(_BACKGROUND_IMAGES))
    for index in range(len(images)):
        features = images[index]
        mask, thing = _foreground(heap, features)
        masks.append(mask)
        if thing is not None:
            things[index] = thing
            means.append(_whiten(heap, features, thing).mean(dim=0))
        if index in with_background:
            background += list(_background(heap.analyse(features)))
        on_progress(STAGE, index + 1, len(images))
    crops = find_crops(images, masks, on_progress)
    for index in range(len(crops)):
        features = crops[index]
        _, thing = _foreground(heap, features)
        if thing is not None:
            background.append(_whiten(heap, features, thing).mean(dim=0))
    dim = len(heap.head.centre)
    heap.head.objectness.learn(_rows(means, dim), _rows(background, dim))
    _calibrate(heap, images, masks)
    _learn_discriminant(heap, images, things)


@torch.inference_mode()
def _learn_discriminant(heap: Heap, images: Collected, things: dict[int, Tensor]) -> None:
    """Learn by what things differ, and how much the halves of one of them do."""
    discriminant, config = heap.head.discriminant, heap.defaults
    discriminant.learn(_whiten(heap, images[index], thing) for index, thing in things.items())
    cosines = []
    for index in spread_evenly(things, _HALVED_THINGS):
        features = images[index]
        image = _whiten(heap, features, slice(None)).to(heap.head.centre)
        cells = things[index].reshape(features.grid).numpy()
        smallest = smallest_half(cells.size, config)
        cosines.append(likeness(cells, discriminant(image).cpu().numpy(), smallest))
    discriminant.calibrate(cosines, heap.config.head.cut)


@torch.inference_mode()
def _calibrate(heap: Heap, images: Collected, masks: list[Tensor]) -> None:
    """Let objectness take as much of the images for things as the head takes for foreground."""
    sample, head = images.spread(_CALIBRATION_IMAGES), heap.head
    foreground = torch.cat([masks[index] for index in sample]).float().mean().item()
    patches = (images[index].patches.to(head.centre) for index in sample)
    head.objectness.calibrate(
        (head.whitening(head.subtract_centre(rows)) for rows in patches), foreground
    )


def _foreground(heap: Heap, features: PatchFeatures) -> tuple[Tensor, Tensor | None]:
    """Patches that are foreground, and those of their best part, if there is a part."""
    saliency = heap.group(features).saliency[0].cpu().reshape(features.grid).numpy()
    config = heap.defaults
    numbered, count = label(saliency > config.threshold)
    parts = [cells for number in range(1, count + 1)
             if (cells := numbered == number).mean() >= config.min_area]  # fmt: skip
    mask = torch.from_numpy(saliency.ravel() > config.threshold)
    if not parts:
        return mask, None
    everything = np.ones_like(saliency)
    best = max(parts, key=lambda cells: part_score(saliency, everything, cells))
    return mask, torch.from_numpy(best.ravel())


@torch.inference_mode()
def _whiten(heap: Heap, features: PatchFeatures, cells: Tensor | slice) -> Tensor:
    """Whitened features of some patches, on the CPU."""
    patches = features.patches[cells].to(heap.head.centre)
    whitened: Tensor = heap.head.whitening(heap.head.subtract_centre(patches)).cpu()
    return whitened


def _background(analysis: Analysis) -> Iterator[Tensor]:
    """Mean whitened features of the regions that are background."""
    regions = analysis.regions.label_map
    for region in np.unique(regions):
        cells = regions == region
        if cells.mean() >= _MIN_AREA and analysis.saliency[cells].mean() < _MAX_SALIENCY:
            yield torch.from_numpy(analysis.whitened[cells.ravel()].mean(axis=0))


def _rows(means: list[Tensor], dim: int) -> Tensor:
    return torch.stack(means) if means else torch.zeros(0, dim)

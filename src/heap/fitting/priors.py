"""Priors: a foreground for every image that is fitted on, made without labels.

A prior tells the head which side is the foreground, and makes its masks tight. It comes from
FOUND's background seed, from colour, from what the encoder was pretrained to call foreground, or
from the three losses of HEAP themselves. A linear layer that teaches itself may stand between: it
is too simple to learn the faults of single images. In the end each mask is drawn along the edges of
its image by the bilateral solver.
"""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from heap.base.files import replacing
from heap.base.progress import OnProgress
from heap.config import Prior
from heap.encoder.base import Encoder
from heap.encoder.foreground import foreground_layer
from heap.features.describe import PatchFeatures
from heap.fitting.collect import Collected
from heap.methods.found import FoundRecipe, background_seed
from heap.methods.lessons import SolvedLessons, SolvedMasks
from heap.model.heap import Heap

STAGE = "prior masks"
VERSION = 1
"""Version, raised when the same settings give other masks: kept masks are then made again."""

Mask = Bool[Tensor, " _patch"]
"""Mask of one image; those of a list may differ in length."""
SaliencyMap = Callable[[PatchFeatures], Float[Tensor, " patch"]]


def saliency_map(kind: Prior, encoder: Encoder, alone: Heap | None) -> SaliencyMap:
    """Function from an image to the first saliency of its patches; foreground is above 0.5.

    `seed` and `found`: all but FOUND's background, on the encoder's features without the cues that
    are joined to them; `self`: the saliency of `alone`, a head fitted by the three losses;
    `boundary`: the smoothed prior from colour alone; `encoder`: the foreground that the encoder was
    pretrained to know.

    Raises:
        ConfigError: if the encoder was not pretrained to know a foreground.
        WeightsError: if the layer for it is damaged.
    """
    if kind == "self" and alone is not None:
        return lambda image: alone.group(image).saliency[0].cpu()
    if kind == "boundary":
        return _read_boundary
    if kind == "encoder":
        return _by_encoder(encoder)
    if kind in ("seed", "found"):
        return _by_background_seed(encoder.dim)
    raise ValueError(f"the prior {kind!r} has no saliency")


def make_masks(
    kind: Prior,
    images: Collected,
    encoder: Encoder,
    seed: int,
    alone: Heap | None,
    on_progress: OnProgress,
) -> list[Mask]:
    """Make the prior mask of every image; for `found` and `self`, a layer is taught first.

    The layer is that of `FoundRecipe`: it is linear, and so too simple to learn the faults of
    single images (docs/quality.md, "The prior is what matters").
    """
    saliency, solve = saliency_map(kind, encoder, alone), SolvedMasks(images.pixels)
    if kind in ("found", "self"):
        # The first saliency teaches the layer, and the layer then takes its place.
        first = saliency
        lessons = SolvedLessons(images, solve, lambda image: first(image) <= 0.5)
        layer = FoundRecipe(solver=True).teach(lessons, seed, on_progress)

        def saliency(image: PatchFeatures) -> Float[Tensor, " patch"]:
            logits: Tensor = layer(image.patches)
            return logits.sigmoid()

    masks = []
    for index in range(len(images)):
        image = images[index]
        masks.append(solve.of_saliency(index, image.grid, saliency(image)))
        on_progress(STAGE, index + 1, len(images))
    return masks


def save_masks(masks: list[Mask], path: Path) -> None:
    """Save the masks for later fits, whole or not at all."""
    # In one row, because grids and so lengths differ, and safetensors hold no lists.
    lengths = torch.tensor([len(mask) for mask in masks])
    # Other fits of the same images may save the same masks at the same time.
    with replacing(path, cache=True) as file:
        file.write(save({"masks": torch.cat(masks), "lengths": lengths}))


def load_masks(path: Path, count: int) -> list[Mask] | None:
    """Load the masks of `count` images; None if they are absent or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            masks, lengths = file.get_tensor("masks"), file.get_tensor("lengths")
    except (FileNotFoundError, SafetensorError):
        return None
    complete = len(lengths) == count and int(lengths.sum()) == len(masks)
    return list(torch.split(masks, lengths.tolist())) if complete else None


def _by_background_seed(key_dim: int) -> SaliencyMap:
    def saliency(image: PatchFeatures) -> Float[Tensor, " patch"]:
        # Cues are joined after the keys, and belong to no attention head.
        keys = image.patches[None, :, :key_dim]
        return (~background_seed(keys, image.cls_attention[None])[0]).float()

    return saliency


def _read_boundary(image: PatchFeatures) -> Float[Tensor, " patch"]:
    if image.boundary is None:
        raise ValueError("the features were computed without the boundary prior")
    return image.boundary


def _by_encoder(encoder: Encoder) -> SaliencyMap:
    layer, dim = foreground_layer(encoder), encoder.dim

    def saliency(image: PatchFeatures) -> Float[Tensor, " patch"]:
        # Length √dim, as in pretraining, where the layer sees features after a normalisation.
        logits: Tensor = layer(F.normalize(image.patches[:, :dim], dim=-1) * dim**0.5)
        return logits[:, 0].sigmoid()

    return saliency

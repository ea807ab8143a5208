"""Features of pictures: what the head sees, computed once and kept on disk if wanted."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from heap.base.errors import ImageError
from heap.config import FeatureConfig
from heap.encoder.base import Encoder
from heap.encoder.features import Features
from heap.features.colour_prior import smoothed_prior
from heap.features.cues import CUE_WIDTHS, cues
from heap.images import Geometry, Picture
from heap.images.failures import apart, is_out_of_memory

logger = logging.getLogger(__name__)

T = TypeVar("T")

STAGE = "encode"
_PATCHES_TOGETHER = 8192
"""A processor gains nothing from more of them at a time, and each takes memory in the encoder."""


@dataclass(frozen=True)
class PatchFeatures:
    """One image as the head and the orientation priors see it."""

    patches: Float[Tensor, "patch dim"]
    """Encoder features, then the joined cues; row-major over the grid."""
    cls_attention: Float[Tensor, "head patch"]
    boundary: Float[Tensor, " patch"] | None
    """Foreground probability by colour alone, see `smoothed_prior`; only where it was asked for."""
    grid: tuple[int, int]
    """Rows and columns of patches."""


def feature_dim(encoder: Encoder, config: FeatureConfig) -> int:
    """Width of the features with their cues."""
    return encoder.dim + sum(CUE_WIDTHS[name] for name in config.cues)


def geometry(picture: Picture, encoder: Encoder, config: FeatureConfig) -> Geometry:
    """How the picture is resized for the encoder."""
    make = Geometry.of_area
    if config.square or config.native:
        make = Geometry.of_square if config.square else Geometry.of_native
    return make(picture.width, picture.height, config.resolution, encoder.patch)


def describe(
    encoder: Encoder,
    pictures: Sequence[Picture],
    config: FeatureConfig,
    batch: int = 8,
    *,
    boundary: bool = False,
) -> list[PatchFeatures]:
    """Features of each picture, see `try_describe`.

    Raises:
        ImageError: if one of them has none.
    """
    found = []
    for features in try_describe(encoder, pictures, config, batch, boundary=boundary):
        if isinstance(features, ImageError):
            raise features
        found.append(features)
    return found


def try_describe(
    encoder: Encoder,
    pictures: Sequence[Picture],
    config: FeatureConfig,
    batch: int = 8,
    *,
    boundary: bool = False,
) -> list[PatchFeatures | ImageError]:
    """Features of each picture, on the CPU, or why there are none: bad ones cost only themselves.

    Pictures of the same grid go through together, at most `batch` of them. If the encoder works on
    the CPU, it is fewer where they are large: memory does not grow with `batch` there.
    """
    shapes = [geometry(picture, encoder, config) for picture in pictures]
    alike = defaultdict(list)
    for index, shape in enumerate(shapes):
        alike[shape.grid].append(index)

    def work(indices: Sequence[int]) -> list[PatchFeatures | ImageError]:
        inputs = [shapes[i].resize(pictures[i].pixels) for i in indices]
        features = _encode(encoder, torch.from_numpy(np.stack(inputs)), config)
        rows = zip(indices, features.patches.cpu(), features.cls_attention.cpu(), strict=True)
        return [
            _of_one(pictures[index], features.grid, patches, attention, config, boundary)
            for index, patches, attention in rows
        ]

    found: dict[int, PatchFeatures | ImageError] = {}
    for grid, indices in alike.items():
        together = fitting_together(encoder, grid, batch)
        for start in range(0, len(indices), together):
            chosen = indices[start : start + together]
            results = apart(chosen, work, STAGE, lambda index: pictures[index].key)
            found |= zip(chosen, results, strict=True)
    return [found[index] for index in range(len(pictures))]


def _of_one(
    picture: Picture,
    grid: tuple[int, int],
    patches: Float[Tensor, "patch dim"],
    attention: Float[Tensor, "head patch"],
    config: FeatureConfig,
    boundary: bool,
) -> PatchFeatures | ImageError:
    if not (patches.isfinite().all() and attention.isfinite().all()):
        reason = "its features are not finite; --precision fp32 may help"
        return ImageError(picture.key, STAGE, reason)
    prior = torch.from_numpy(smoothed_prior(picture.pixels, grid).ravel()) if boundary else None
    return PatchFeatures(_join(patches, picture, grid, config), attention, prior, grid)


def fitting_together(encoder: Encoder, grid: tuple[int, int], batch: int) -> int:
    """How many pictures of a grid go through the encoder at a time, at most `batch`."""
    if encoder.mean.device.type != "cpu":
        return batch
    return min(batch, max(1, _PATCHES_TOGETHER // (grid[0] * grid[1])))


def _encode(
    encoder: Encoder, pixels: UInt8[Tensor, "batch height width 3"], config: FeatureConfig
) -> Features:
    """Run the encoder; a batch that does not fit into memory goes through in parts."""

    def work(part: UInt8[Tensor, "_ height width 3"]) -> Features:
        features: Features = encoder(
            part.permute(0, 3, 1, 2).float() / 255, config.layer, config.facet
        )
        return features

    first, *others = in_halves(work, pixels)
    if not others:
        return first
    parts = [first, *others]
    return Features(
        torch.cat([part.patches.cpu() for part in parts]),
        torch.cat([part.cls_attention.cpu() for part in parts]),
        first.grid,
    )


def _join(
    patches: Float[Tensor, "patch dim"],
    picture: Picture,
    grid: tuple[int, int],
    config: FeatureConfig,
) -> Float[Tensor, "patch joined"]:
    if not config.cues:
        return patches
    extra = torch.from_numpy(cues(config.cues, picture.pixels, grid))
    return torch.cat([F.normalize(patches, dim=-1), config.cue_weight * extra], dim=-1)


def in_halves(work: Callable[[torch.Tensor], T], batch: torch.Tensor) -> list[T]:
    """Results of `work` on the batch, or on parts of it where it does not fit into memory."""
    try:
        return [work(batch)]
    except (RuntimeError, MemoryError) as error:
        if len(batch) == 1 or not is_out_of_memory(error):
            raise
    logger.warning("out of memory with a batch of %d images, going on with half", len(batch))
    return [part for half in batch.tensor_split(2) for part in in_halves(work, half)]

"""Features of pictures by a frozen encoder, with hand-made cues and the boundary prior."""

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
from heap.base.forked import compute_after_fork
from heap.base.timing import timed
from heap.config import FeatureConfig
from heap.encoder.base import Encoder, Features
from heap.features.colour_prior import smoothed_prior
from heap.features.cues import CUE_WIDTHS, compute_cues
from heap.images import Geometry, Picture
from heap.images.failures import attempt_all, is_out_of_memory

logger = logging.getLogger(__name__)

T = TypeVar("T")

STAGE = "encode"
"""Stage of images whose features cannot be computed."""
_PATCHES_TOGETHER = 8192
"""Patches in a batch on the CPU: it gains nothing from more of them, and all take memory."""


@dataclass(frozen=True)
class PatchFeatures:
    """Features of one image, the input of the head and of the orientation priors."""

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
    """Geometry of the picture as it is resized for the encoder."""
    return Geometry.of_features(picture.width, picture.height, config, encoder.patch)


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
    described = []
    for features in try_describe(encoder, pictures, config, batch, boundary=boundary):
        if isinstance(features, ImageError):
            raise features
        described.append(features)
    return described


def try_describe(
    encoder: Encoder,
    pictures: Sequence[Picture],
    config: FeatureConfig,
    batch: int = 8,
    *,
    boundary: bool = False,
) -> list[PatchFeatures | ImageError]:
    """Features of each picture, on the CPU, or the error of a picture that has none.

    Pictures of the same grid go through together, at most `batch` of them. If the encoder works on
    the CPU, it is fewer where they are large: memory does not grow with `batch` there.
    """
    shapes = [geometry(picture, encoder, config) for picture in pictures]
    # Only pictures of one shape make a tensor.
    by_grid = defaultdict(list)
    for index, shape in enumerate(shapes):
        by_grid[shape.grid].append(index)

    def work(indices: Sequence[int]) -> list[PatchFeatures | ImageError]:
        with timed("resize"):
            inputs = [shapes[i].resize(pictures[i].pixels) for i in indices]
        features = _encode(encoder, torch.from_numpy(np.stack(inputs)), config)
        rows = zip(indices, features.patches.cpu(), features.cls_attention.cpu(), strict=True)
        return [
            _to_patch_features(pictures[index], features.grid, patches, attention, config, boundary)
            for index, patches, attention in rows
        ]

    described: dict[int, PatchFeatures | ImageError] = {}
    for grid, indices in by_grid.items():
        size = limit_batch(encoder, grid, batch)
        for start in range(0, len(indices), size):
            chosen = indices[start : start + size]
            results = attempt_all(chosen, work, STAGE, lambda index: pictures[index].key)
            described |= zip(chosen, results, strict=True)
    return [described[index] for index in range(len(pictures))]


def _to_patch_features(
    picture: Picture,
    grid: tuple[int, int],
    patches: Float[Tensor, "patch dim"],
    attention: Float[Tensor, "head patch"],
    config: FeatureConfig,
    boundary: bool,
) -> PatchFeatures | ImageError:
    # Refused here, by the name of the picture: later stages could not say what is wrong.
    if not (patches.isfinite().all() and attention.isfinite().all()):
        reason = "its features are not finite; --precision fp32 may help"
        return ImageError(picture.key, STAGE, reason)
    prior = torch.from_numpy(smoothed_prior(picture.pixels, grid).ravel()) if boundary else None
    return PatchFeatures(_join_cues(patches, picture, grid, config), attention, prior, grid)


def limit_batch(encoder: Encoder, grid: tuple[int, int], batch: int) -> int:
    """Number of pictures of a grid that go through the encoder at a time, at most `batch`."""
    if encoder.mean.device.type != "cpu":
        return batch
    return min(batch, max(1, _PATCHES_TOGETHER // (grid[0] * grid[1])))


@timed("encoder")
def _encode(
    encoder: Encoder, pixels: UInt8[Tensor, "batch height width 3"], config: FeatureConfig
) -> Features:
    """Run the encoder; a batch that does not fit into memory goes through in parts."""

    def work(part: UInt8[Tensor, "_ height width 3"]) -> Features:
        features: Features = encoder(
            part.permute(0, 3, 1, 2).float() / 255, config.layer, config.facet
        )
        return features

    first, *others = run_in_halves(work, pixels)
    if not others:
        return first
    parts = [first, *others]
    # On the CPU, for the device was out of memory.
    return Features(
        torch.cat([part.patches.cpu() for part in parts]),
        torch.cat([part.cls_attention.cpu() for part in parts]),
        first.grid,
    )


def _join_cues(
    patches: Float[Tensor, "patch dim"],
    picture: Picture,
    grid: tuple[int, int],
    config: FeatureConfig,
) -> Float[Tensor, "patch joined"]:
    if not config.cues:
        return patches
    extra = torch.from_numpy(compute_cues(config.cues, picture.pixels, grid))
    # Features of length 1, so that the weight of the cues means the same for every encoder.
    return torch.cat([F.normalize(patches, dim=-1), config.cue_weight * extra], dim=-1)


def run_in_halves(work: Callable[[torch.Tensor], T], batch: torch.Tensor) -> list[T]:
    """Results of `work` on the batch, or on parts of it where it does not fit into memory."""
    compute_after_fork()
    try:
        return [work(batch)]
    except (RuntimeError, MemoryError) as error:
        if len(batch) == 1 or not is_out_of_memory(error):
            raise
    # Outside of the handler: the error holds the frames, and with them tensors, of the failed try.
    logger.warning("out of memory with a batch of %d images, going on with half", len(batch))
    return [part for half in batch.tensor_split(2) for part in run_in_halves(work, half)]

"""Random crops and colour changes, a batch at a time and on the device."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Crops:
    """Crops of a batch of images and where they lie."""

    pixels: Float[Tensor, "batch 3 side side"]
    """Colours in [0, 1]."""
    transform: Float[Tensor, "batch 2 3"]
    """From crop to image, both in the [-1, 1] coordinates of `affine_grid`."""

    def sample(
        self, maps: Float[Tensor, "batch height width"], side: int
    ) -> Float[Tensor, "batch side side"]:
        """Crop `maps` that lie over the whole images in the same way."""
        return self.sample_channels(maps[:, None], side)[:, 0]

    def sample_channels(
        self, maps: Float[Tensor, "batch channel height width"], side: int
    ) -> Float[Tensor, "batch channel side side"]:
        """Crop `maps` of several channels in the same way."""
        return _warp(maps, self.transform, side)


def random_crops(
    images: Float[Tensor, "batch 3 height width"],
    side: int,
    scale: tuple[float, float],
    generator: torch.Generator,
) -> Crops:
    """Cut from each image one crop of an area within `scale`, mirrored half of the time."""
    batch, device = len(images), images.device

    def uniform(low: float, high: float) -> Float[Tensor, " batch"]:
        return torch.rand(batch, generator=generator, device=device) * (high - low) + low

    extent = uniform(*scale).sqrt()
    ratio = torch.exp(uniform(-math.log(4 / 3), math.log(4 / 3)) / 2)
    size = torch.stack([extent * ratio, extent / ratio], dim=1).clamp(max=1)
    centre = torch.stack([uniform(-1.0, 1.0), uniform(-1.0, 1.0)], dim=1) * (1 - size)
    mirror = torch.where(uniform(0.0, 1.0) < 0.5, -1.0, 1.0)
    transform = torch.zeros(batch, 2, 3, device=device)
    transform[:, 0, 0], transform[:, 1, 1] = size[:, 0] * mirror, size[:, 1]
    transform[:, :, 2] = centre
    return Crops(_warp(images, transform, side), transform)


def recolour(
    pixels: Float[Tensor, "batch 3 height width"], generator: torch.Generator
) -> Float[Tensor, "batch 3 height width"]:
    """Change brightness, contrast, saturation and hue at random; some turn grey, some blur."""
    batch, device = len(pixels), pixels.device

    def uniform(low: float, high: float) -> Float[Tensor, "batch 1 1 1"]:
        draw = torch.rand(batch, 1, 1, 1, generator=generator, device=device)
        return draw * (high - low) + low

    mixing = 0.08 * torch.randn(batch, 3, 3, generator=generator, device=device)
    tinted = torch.einsum("bchw,bdc->bdhw", pixels, torch.eye(3, device=device) + mixing)
    grey = tinted.mean(dim=1, keepdim=True)
    saturated = grey + (tinted - grey) * uniform(0.6, 1.4) * (uniform(0.0, 1.0) > 0.15)
    mean = saturated.mean(dim=(2, 3), keepdim=True)
    out = (mean + (saturated - mean) * uniform(0.6, 1.4)) * uniform(0.7, 1.3)
    soft = F.avg_pool2d(F.pad(out, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return torch.where(uniform(0.0, 1.0) < 0.3, soft, out).clamp(0, 1)


def _warp(
    maps: Float[Tensor, "batch channel height width"],
    transform: Float[Tensor, "batch 2 3"],
    side: int,
) -> Float[Tensor, "batch channel side side"]:
    grid = F.affine_grid(transform, [len(maps), maps.shape[1], side, side], align_corners=False)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)

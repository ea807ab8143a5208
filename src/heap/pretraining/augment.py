"""Random crops and colour changes, a batch at a time and on the device."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Crops:
    """Crops of a batch of images, and their places in the images."""

    pixels: Float[Tensor, "batch 3 side side"]
    """Colours in [0, 1]."""
    transform: Float[Tensor, "batch 2 3"]
    """Affine map from crop to image, both in the [-1, 1] coordinates of `affine_grid`."""

    def sample(
        self, maps: Float[Tensor, "batch height width"], side: int
    ) -> Float[Tensor, "batch side side"]:
        """Crop `maps` over the whole images in the same way as the images."""
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
    """Cut one crop out of each image, of an area within `scale`, mirrored half of the time."""
    batch, device = len(images), images.device

    def uniform(low: float, high: float) -> Float[Tensor, " batch"]:
        return torch.rand(batch, generator=generator, device=device) * (high - low) + low

    extent = uniform(*scale).sqrt()  # sides of a square of this area
    # Aspect ratios between 3:4 and 4:3, as in DINO; halved, for both sides take a root of it.
    ratio = torch.exp(uniform(-math.log(4 / 3), math.log(4 / 3)) / 2)
    # In shares of the image; a side that would be longer than the image ends with it.
    size = torch.stack([extent * ratio, extent / ratio], dim=1).clamp(max=1)
    # Coordinates are in [-1, 1], so a crop of size s lies inside if its centre is within 1 - s.
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

    # Channels mixed a little, at random: a change of hue without a conversion to HSV.
    mixing = 0.08 * torch.randn(batch, 3, 3, generator=generator, device=device)
    tinted = torch.einsum("bchw,bdc->bdhw", pixels, torch.eye(3, device=device) + mixing)
    grey = tinted.mean(dim=1, keepdim=True)
    # Saturation; 15 % of the crops turn grey.
    saturated = grey + (tinted - grey) * uniform(0.6, 1.4) * (uniform(0.0, 1.0) > 0.15)
    mean = saturated.mean(dim=(2, 3), keepdim=True)
    out = (mean + (saturated - mean) * uniform(0.6, 1.4)) * uniform(
        0.7, 1.3
    )  # contrast, brightness
    # A mean over 3 × 3 pixels, for 30 % of the crops.
    soft = F.avg_pool2d(F.pad(out, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return torch.where(uniform(0.0, 1.0) < 0.3, soft, out).clamp(0, 1)


def _warp(
    maps: Float[Tensor, "batch channel height width"],
    transform: Float[Tensor, "batch 2 3"],
    side: int,
) -> Float[Tensor, "batch channel side side"]:
    grid = F.affine_grid(transform, [len(maps), maps.shape[1], side, side], align_corners=False)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)

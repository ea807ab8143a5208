"""What FOUND's layer is taught with: features, the foreground of the seed, and better masks.

Features come from a store, so there is no image augmentation: each image is always the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image
from scipy.ndimage import label
from torch import Tensor

from heap.features.describe import PatchFeatures
from heap.masks.bilateral_solver import BilateralGrid, trusted_mask
from heap.masks.guided_filter import resize

SAMPLE_IMAGES = 3000
SAMPLE_PATCHES = 256
SIDE = 224
"""Side of the squares that images are squeezed to for the solver, whatever their patch grid."""
KEPT_GRIDS = 1500
"""Bilateral grids that are kept, about 0.35 MB each; those of more images are made again."""

Background = Callable[[PatchFeatures], Bool[Tensor, " patch"]]
Pixels = Callable[[int], UInt8[np.ndarray, "height width 3"]]


@runtime_checkable
class Images(Protocol):
    """Images by number, read when they are asked for."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: int) -> PatchFeatures:
        """One of them."""


@dataclass(frozen=True)
class Lesson:
    """The patches of a few images, one after the other."""

    features: Float[Tensor, "patch dim"]
    seed: Callable[[], Bool[Tensor, " patch"]]
    """Gives the foreground that the background seed leaves."""
    improve: Callable[[Bool[Tensor, " patch"]], Bool[Tensor, " patch"]]
    """Makes a better foreground of a predicted one."""


@runtime_checkable
class Lessons(Protocol):
    """A lesson on any images."""

    dim: int
    """Channels of the features."""

    def __len__(self) -> int:
        """Number of images."""

    def __call__(self, chosen: list[int]) -> Lesson:
        """The lesson on these images."""


class SampledLessons:
    """A sample of the patches of each image, kept in memory; masks are taken as they are.

    The layer is linear in each patch, so a sample serves as well as all of them. Of more than
    `SAMPLE_IMAGES` images as many are taken, spread evenly.
    """

    def __init__(self, images: Images, background: Background, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        features, foreground = [], []
        for index in range(0, len(images), -(-len(images) // SAMPLE_IMAGES)):
            image = images[index]
            pick = torch.randint(len(image.patches), (SAMPLE_PATCHES,), generator=generator)
            features.append(image.patches[pick].half())
            foreground.append(~background(image)[pick])
        self.features, self.foreground = torch.stack(features), torch.stack(foreground)
        self.dim = self.features.shape[-1]

    def __len__(self) -> int:
        return len(self.features)

    def __call__(self, chosen: list[int]) -> Lesson:
        """The lesson on these images."""
        return Lesson(
            self.features[chosen].flatten(0, 1).float(),
            lambda: self.foreground[chosen].flatten(),
            lambda predicted: predicted,
        )


class SolvedMasks:
    """Sends masks of patches through the bilateral solver, each along the edges of its image.

    What is kept of an image is its bilateral grid; a mask that comes again is not solved again.
    """

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self._grid = lru_cache(KEPT_GRIDS)(self._make_grid)
        self._of_mask = lru_cache(KEPT_GRIDS)(self._solve_mask)

    def __call__(
        self, index: int, grid: tuple[int, int], mask: Bool[Tensor, " patch"]
    ) -> Bool[Tensor, " patch"]:
        """A better mask of the patches of image number `index`."""
        return self._of_mask(index, grid, mask.numpy().tobytes())

    def of_saliency(
        self, index: int, grid: tuple[int, int], saliency: Float[Tensor, " patch"]
    ) -> Bool[Tensor, " patch"]:
        """The same of a map in [0, 1]; it is cut at 0.5 in pixels, finer than in patches."""
        fine = resize(saliency.reshape(grid).float().numpy(), (SIDE, SIDE)) > 0.5
        solved = self._solve(index, grid, fine.astype(np.float32))
        return saliency > 0.5 if solved is None else solved

    def _solve_mask(self, index: int, grid: tuple[int, int], mask: bytes) -> Bool[Tensor, " patch"]:
        cells = np.frombuffer(mask, dtype=bool).reshape(grid).copy()
        solved = self._solve(index, grid, resize(cells.astype(np.float32), (SIDE, SIDE)))
        return torch.from_numpy(cells).flatten() if solved is None else solved

    def _solve(
        self, index: int, grid: tuple[int, int], target: Float32[np.ndarray, "height width"]
    ) -> Bool[Tensor, " patch"] | None:
        """The mask that the solver makes of a target; None: it is lost, and the old one stays."""
        solved = trusted_mask(self._grid(index).solve(target), target > 0.5)
        if solved is None or _is_mostly_one(solved):
            return None
        fine = torch.from_numpy(solved.astype(np.float32))
        # As in FOUND, whatever is not zero is foreground. So a mask grows a little.
        return (F.interpolate(fine[None, None], grid, mode="bilinear") > 0).flatten()

    def _make_grid(self, index: int) -> BilateralGrid:
        image = Image.fromarray(self.pixels(index))
        small = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        return BilateralGrid.of(np.asarray(small))


def _is_mostly_one(mask: Bool[np.ndarray, "height width"]) -> bool:
    """Whether a part of the mask is larger than all around it, which FOUND takes for background."""
    return int(np.bincount(label(mask)[0].ravel()).argmax()) != 0


class SolvedLessons:
    """All patches of each image, read anew at each step; masks go through the bilateral solver.

    The solved mask of the seed is kept of each image.
    """

    def __init__(self, images: Images, solve: SolvedMasks, background: Background) -> None:
        self.images, self.solve, self.background = images, solve, background
        self.dim = images[0].patches.shape[-1]
        self._seeds: dict[int, Bool[Tensor, " patch"]] = {}

    def __len__(self) -> int:
        return len(self.images)

    def __call__(self, chosen: list[int]) -> Lesson:
        """The lesson on these images."""
        read = [self.images[index] for index in chosen]

        def seed() -> Bool[Tensor, " patch"]:
            pairs = zip(chosen, read, strict=True)
            return torch.cat([self._seed(index, image) for index, image in pairs])

        def improve(predicted: Bool[Tensor, " patch"]) -> Bool[Tensor, " patch"]:
            parts = predicted.split([len(image.patches) for image in read])
            each = zip(chosen, read, parts, strict=True)
            return torch.cat([self.solve(index, image.grid, part) for index, image, part in each])

        return Lesson(torch.cat([image.patches for image in read]).float(), seed, improve)

    def _seed(self, index: int, image: PatchFeatures) -> Bool[Tensor, " patch"]:
        if index not in self._seeds:
            self._seeds[index] = self.solve(index, image.grid, ~self.background(image))
        return self._seeds[index]

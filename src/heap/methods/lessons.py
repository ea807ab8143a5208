"""Lessons for FOUND's layer: features, the foreground of the seed, and better masks.

Features come from a store, so there is no image augmentation: an image is always the same.
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
"""Images, and patches of an image, that are kept in memory where no solver needs whole images."""
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
        """Number of images."""

    def __getitem__(self, index: int) -> PatchFeatures:
        """Features of an image."""


@dataclass(frozen=True)
class Lesson:
    """Patches of a few images in one row, and the targets for them."""

    features: Float[Tensor, "patch dim"]
    seed: Callable[[], Bool[Tensor, " patch"]]
    """Function that gives the foreground by the background seed; it is only asked for at first."""
    improve: Callable[[Bool[Tensor, " patch"]], Bool[Tensor, " patch"]]
    """Function that makes a better foreground of a predicted one."""


@runtime_checkable
class Lessons(Protocol):
    """Lessons on any of a collection of images."""

    dim: int
    """Channels of the features."""

    def __len__(self) -> int:
        """Number of images."""

    def __call__(self, chosen: list[int]) -> Lesson:
        """Lesson on these images."""


class SampledLessons:
    """Lessons on a sample of patches that is kept in memory; masks are not improved.

    The layer sees patches one by one, so a sample serves as well as all of them. Of more than
    `SAMPLE_IMAGES` images as many are taken, spread evenly.
    """

    def __init__(self, images: Images, background: Background, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        features, foreground = [], []
        for index in range(0, len(images), -(-len(images) // SAMPLE_IMAGES)):  # step rounded up
            image = images[index]
            # With replacement, so that small images give as many and all stack.
            pick = torch.randint(len(image.patches), (SAMPLE_PATCHES,), generator=generator)
            features.append(image.patches[pick].half())  # half the memory
            foreground.append(~background(image)[pick])
        self.features, self.foreground = torch.stack(features), torch.stack(foreground)
        self.dim = self.features.shape[-1]

    def __len__(self) -> int:
        return len(self.features)

    def __call__(self, chosen: list[int]) -> Lesson:
        """Lesson on these images."""
        return Lesson(
            self.features[chosen].flatten(0, 1).float(),
            lambda: self.foreground[chosen].flatten(),
            lambda predicted: predicted,
        )


class SolvedMasks:
    """Bilateral solver for masks of patches, which brings them to the edges of their image.

    The bilateral grid of an image is kept, and so are masks: the same one is not solved twice.
    """

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self._grid = lru_cache(KEPT_GRIDS)(self._make_grid)
        self._solved_mask = lru_cache(KEPT_GRIDS)(self._solve_mask)

    def __call__(
        self, index: int, grid: tuple[int, int], mask: Bool[Tensor, " patch"]
    ) -> Bool[Tensor, " patch"]:
        """Better mask of the patches of image number `index`."""
        # As bytes, because a cache needs keys that can be hashed.
        return self._solved_mask(index, grid, mask.numpy().tobytes())

    def of_saliency(
        self, index: int, grid: tuple[int, int], saliency: Float[Tensor, " patch"]
    ) -> Bool[Tensor, " patch"]:
        """Better mask from a map in [0, 1]; it is cut at 0.5 in pixels, finer than in patches."""
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
        """Mask that the solver makes of a target; None: the mask is lost, and the old one stays."""
        solved = trusted_mask(self._grid(index).solve(target), target > 0.5)
        if solved is None or _is_mostly_one(solved):
            return None
        fine = torch.from_numpy(solved.astype(np.float32))
        # As in FOUND, a patch is foreground if any of it is. So a mask grows a little.
        return (F.interpolate(fine[None, None], grid, mode="bilinear") > 0).flatten()

    def _make_grid(self, index: int) -> BilateralGrid:
        image = Image.fromarray(self.pixels(index))
        small = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        return BilateralGrid.of(np.asarray(small))


def _is_mostly_one(mask: Bool[np.ndarray, "height width"]) -> bool:
    """Whether a part of the mask is larger than all around it, which FOUND takes for background."""
    # The most frequent label; 0 is what lies around the parts.
    return int(np.bincount(label(mask)[0].ravel()).argmax()) != 0


class SolvedLessons:
    """Lessons on all patches, read anew at each step; masks go through the bilateral solver.

    The solved mask of the seed is kept for every image.
    """

    def __init__(self, images: Images, solve: SolvedMasks, background: Background) -> None:
        self.images, self.solve, self.background = images, solve, background
        self.dim = images[0].patches.shape[-1]
        self._seeds: dict[int, Bool[Tensor, " patch"]] = {}

    def __len__(self) -> int:
        return len(self.images)

    def __call__(self, chosen: list[int]) -> Lesson:
        """Lesson on these images."""
        images = [self.images[index] for index in chosen]

        def seed() -> Bool[Tensor, " patch"]:
            pairs = zip(chosen, images, strict=True)
            return torch.cat([self._seed(index, image) for index, image in pairs])

        def improve(predicted: Bool[Tensor, " patch"]) -> Bool[Tensor, " patch"]:
            # Images may have different grids, so the patches of all stand in one row.
            masks = predicted.split([len(image.patches) for image in images])
            triples = zip(chosen, images, masks, strict=True)
            return torch.cat(
                [self.solve(index, image.grid, mask) for index, image, mask in triples]
            )

        return Lesson(torch.cat([image.patches for image in images]).float(), seed, improve)

    def _seed(self, index: int, image: PatchFeatures) -> Bool[Tensor, " patch"]:
        if index not in self._seeds:
            self._seeds[index] = self.solve(index, image.grid, ~self.background(image))
        return self._seeds[index]

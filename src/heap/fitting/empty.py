"""Empty crops: parts of the images of a fit in which their prior has no foreground.

Without them a head has never seen an image without an object, and finds one in every image.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from heap.base.progress import OnProgress
from heap.base.sampling import spread_evenly
from heap.features.describe import PatchFeatures, describe
from heap.fitting.collect import Collected
from heap.fitting.priors import Mask
from heap.images import ImageError, Picture

logger = logging.getLogger(__name__)

STAGE = "empty crops"
CROPS = 600
"""Most crops of a fit, spread evenly over the images."""
LEAST = 0.08
"""Least share of its image that a crop has."""
RATIO = 3.0
"""Largest ratio of the sides of a crop, in patches."""
_BATCH = 8
"""Crops that are described, and stored, together."""

Span = tuple[int, int, int, int]
"""First row and column of patches, and the row and column after the last."""


@dataclass(frozen=True)
class Crop:
    """Rectangle of patches of one image."""

    index: int
    """Number of the image."""
    span: Span
    grid: tuple[int, int]
    """Rows and columns of patches of the whole image."""

    def digest(self, image: str) -> str:
        """Key of the crop in the store of features; `image` is the SHA-256 of its image."""
        return hashlib.sha256(f"{image} {self.span} of {self.grid}".encode()).hexdigest()

    def cut(self, picture: Picture) -> Picture:
        """Cut the crop out of the picture, as a picture of its own."""
        height, width = picture.pixels.shape[:2]
        (rows, cols), (top, left, bottom, right) = self.grid, self.span
        # Whole pixels; rounded down on all sides, so that patches side by side never overlap. At
        # least one pixel, for tiny images have fewer than patches.
        y, x = top * height // rows, left * width // cols
        pixels = np.ascontiguousarray(
            picture.pixels[
                y : max(y + 1, bottom * height // rows), x : max(x + 1, right * width // cols)
            ]
        )
        crop_height, crop_width = pixels.shape[:2]
        digest = self.digest(picture.digest)
        return replace(picture, pixels=pixels, width=crop_width, height=crop_height, digest=digest)


class EmptyCrops:
    """Crops with features in the store of their images."""

    def __init__(self, images: Collected, crops: Sequence[Crop], digests: Sequence[str]) -> None:
        self.images, self.crops, self.digests = images, crops, digests

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, number: int) -> PatchFeatures:
        """Features of a crop; computed again if the store has lost or damaged them."""
        features = self.images.store.get(self.digests[number])
        return features or _store_features(self.images, [self.crops[number]])[0][1]


def find_crops(images: Collected, masks: Sequence[Mask], on_progress: OnProgress) -> EmptyCrops:
    """Find the largest rectangle without foreground in each image, where it is large enough."""
    crops = []
    for index, mask in enumerate(masks):
        grid = images.store.get_grid(images.digests[index]) or images[index].grid
        span = largest_rectangle(~mask.reshape(grid).numpy(), RATIO)
        if span and _area(span) >= LEAST * grid[0] * grid[1]:
            crops.append(Crop(index, span, grid))
    chosen = spread_evenly(crops, CROPS)
    digests = {crop: crop.digest(images.digests[crop.index]) for crop in chosen}
    missing = [crop for crop, digest in digests.items() if digest not in images.store]
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        try:
            _store_features(images, batch)
        except ImageError:
            for crop in batch:
                _store_or_drop(images, crop, digests)
        done = len(chosen) - len(missing) + start + len(batch)
        on_progress(STAGE, done, len(chosen))
    return EmptyCrops(images, list(digests), list(digests.values()))


def _store_or_drop(images: Collected, crop: Crop, digests: dict[Crop, str]) -> None:
    """Store the features of a crop, or take it off the list if its image cannot be read again."""
    try:
        _store_features(images, [crop])
    except ImageError as error:
        logger.warning("no empty crop of %s", error)
        del digests[crop]


def largest_rectangle(free: Bool[np.ndarray, "rows cols"], ratio: float) -> Span | None:
    """Largest rectangle of free cells alone, no side longer than `ratio` times the other.

    Of equal ones the first by its top, then by its bottom; None if no cell is free.
    """
    # Every pair of a top and a bottom row is tried: grids are small, a few dozen rows.
    largest, span = 0, None
    for top in range(len(free)):
        columns = np.ones(free.shape[1], dtype=bool)  # free from `top` down to `bottom`
        for bottom in range(top, len(free)):
            columns &= free[bottom]
            height = bottom + 1 - top
            start, run = _longest_run(columns)
            width = min(run, int(ratio * height))
            if width * ratio >= height and height * width > largest:
                left = start + (run - width) // 2  # in the middle of the run
                largest, span = height * width, (top, left, bottom + 1, left + width)
    return span


def _longest_run(free: Bool[np.ndarray, " cell"]) -> tuple[int, int]:
    """Start and length of the longest run of free cells."""
    # Occupied cells, and one beyond either end: runs lie between two of these.
    edges = np.concatenate([[-1], np.flatnonzero(~free), [len(free)]])
    runs = np.diff(edges) - 1
    longest = int(runs.argmax())
    return int(edges[longest]) + 1, int(runs[longest])


def _area(span: Span) -> int:
    top, left, bottom, right = span
    return (bottom - top) * (right - left)


def _store_features(images: Collected, crops: Sequence[Crop]) -> list[tuple[str, PatchFeatures]]:
    """Compute and store the features of crops; returns digest and features of each."""
    pictures = [crop.cut(images.picture(crop.index)) for crop in crops]
    described = describe(images.encoder, pictures, images.store.config, boundary=True)
    return [
        (picture.digest, images.store.put_and_get(picture.digest, features))
        for picture, features in zip(pictures, described, strict=True)
    ]

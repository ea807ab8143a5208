"""Pictures of nothing: crops of the images that are fitted on, where their prior has no foreground.

Without them a head has never seen an image without an object, and finds one in each.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from heap.base.progress import OnProgress
from heap.features.describe import PatchFeatures, describe
from heap.fitting.collect import Collected
from heap.fitting.priors import Mask
from heap.images import Picture

STAGE = "empty crops"
CROPS = 600
"""At most so many, spread evenly over the images."""
LEAST = 0.08
"""Share of its image that a crop has at least."""
RATIO = 3.0
"""No side of a crop has more patches than so many times the other's."""
_BATCH = 8

Span = tuple[int, int, int, int]
"""First row and column of patches, and those after the last."""


@dataclass(frozen=True)
class Crop:
    """A rectangle of patches of one image."""

    index: int
    """Of the image."""
    span: Span
    grid: tuple[int, int]
    """Rows and columns of patches of the whole image."""

    def digest(self, image: str) -> str:
        """What stands for it, `image` being the SHA-256 of its image."""
        return hashlib.sha256(f"{image} {self.span} of {self.grid}".encode()).hexdigest()

    def of(self, picture: Picture) -> Picture:
        """The crop of the picture, as a picture of its own."""
        height, width = picture.pixels.shape[:2]
        (rows, cols), (top, left, bottom, right) = self.grid, self.span
        y, x = top * height // rows, left * width // cols
        pixels = np.ascontiguousarray(
            picture.pixels[y : bottom * height // rows, x : right * width // cols]
        )
        tall, wide = pixels.shape[:2]
        digest = self.digest(picture.digest)
        return replace(picture, pixels=pixels, width=wide, height=tall, digest=digest)


class Crops:
    """Crops with features in the store of their images."""

    def __init__(self, images: Collected, crops: Sequence[Crop], digests: Sequence[str]) -> None:
        self.images, self.crops, self.digests = images, crops, digests

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, number: int) -> PatchFeatures:
        """Features of a crop; computed again if the store has lost or damaged them."""
        features = self.images.store.get(self.digests[number])
        return features or _keep(self.images, [self.crops[number]])[0][1]


def find_crops(images: Collected, masks: Sequence[Mask], on_progress: OnProgress) -> Crops:
    """The largest rectangle without foreground of each image, where it is large enough."""
    found = []
    for index, mask in enumerate(masks):
        grid = images[index].grid
        span = largest_rectangle(~mask.reshape(grid).numpy(), RATIO)
        if span and _cells(span) >= LEAST * grid[0] * grid[1]:
            found.append(Crop(index, span, grid))
    count = min(len(found), CROPS)
    chosen = [found[number * len(found) // count] for number in range(count)]
    digests = [crop.digest(images.digests[crop.index]) for crop in chosen]
    pairs = zip(chosen, digests, strict=True)
    missing = [crop for crop, digest in pairs if digest not in images.store]
    for start in range(0, len(missing), _BATCH):
        done = len(_keep(images, missing[start : start + _BATCH])) + start
        on_progress(STAGE, count - len(missing) + done, count)
    return Crops(images, chosen, digests)


def largest_rectangle(free: Bool[np.ndarray, "rows cols"], ratio: float) -> Span | None:
    """The largest rectangle of nothing but free cells, no side longer than `ratio` times the other.

    Of equal ones the first by its top, then by its bottom; None if no cell is free.
    """
    best, found = 0, None
    for top in range(len(free)):
        open_ = np.ones(free.shape[1], dtype=bool)
        for bottom in range(top, len(free)):
            open_ &= free[bottom]
            tall = bottom + 1 - top
            start, run = _longest_run(open_)
            wide = min(run, int(ratio * tall))
            if wide * ratio >= tall and tall * wide > best:
                left = start + (run - wide) // 2
                best, found = tall * wide, (top, left, bottom + 1, left + wide)
    return found


def _longest_run(free: Bool[np.ndarray, " cell"]) -> tuple[int, int]:
    """Where the longest run of free cells begins, and how long it is."""
    edges = np.concatenate([[-1], np.flatnonzero(~free), [len(free)]])
    runs = np.diff(edges) - 1
    at = int(runs.argmax())
    return int(edges[at]) + 1, int(runs[at])


def _cells(span: Span) -> int:
    top, left, bottom, right = span
    return (bottom - top) * (right - left)


def _keep(images: Collected, crops: Sequence[Crop]) -> list[tuple[str, PatchFeatures]]:
    """Digest and features of each crop, computed and kept."""
    pictures = [crop.of(images.picture(crop.index)) for crop in crops]
    found = describe(images.encoder, pictures, images.store.config, boundary=True)
    return [
        (picture.digest, images.store.keep(picture.digest, features))
        for picture, features in zip(pictures, found, strict=True)
    ]

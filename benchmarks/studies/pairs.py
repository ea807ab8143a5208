"""Two photos of different things side by side: are the two things told apart?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from benchmarks.common import DATA, Data
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.scoring import read, share
from benchmarks.study import Measured, Study
from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.benchmark.truth import Example
from heap.images import Picture
from heap.model.heap import Heap
from heap.results import ImageResult

PAIRS = 100
APART = 250
"""Places in the sorted list between the two photos of a pair."""
INSIDE = 0.75
"""Share of an object's mask that lies in a half for the object to count as found there."""


@dataclass(frozen=True)
class Pair:
    """The picture, and where the thing of each half is."""

    picture: Picture
    left: Bool[np.ndarray, "height width"]
    right: Bool[np.ndarray, "height width"]
    seam: int
    """First column of the right half."""


def bench(
    *,
    data: Data = DATA,
    model: str = "embedded",
    limit: int = PAIRS,
) -> Measured:
    """Ask for the regions and objects of 100 pairs.

    Args:
        data: Folder with `duts-tr/tune`.
        model: "embedded", or a folder that `heap fit` has written.
        limit: Number of pairs.
    """
    listed = open_dataset(f"folder:{data / 'duts-tr' / 'tune'}").examples
    if len(listed) < APART + limit:
        raise InputError(f"{limit} pairs need {APART + limit} images, there are {len(listed)}")
    heap = Heap.from_pretrained(model)
    pairs = list(zip(listed[:limit], listed[APART : APART + limit], strict=True))
    return Measured(
        data=about_data("duts-tr/tune", [example.image for pair in pairs for example in pair]),
        encoder=about_encoder(heap),
        rows=[row(heap, *pair) for pair in pairs],
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Share of the pairs told apart, and of those with an object in each half."""
    return {name: share(rows, name) for name in ("different_regions", "object_in_each_half")}


def row(heap: Heap, left: Example, right: Example) -> Row:
    """Result of the model on one pair."""
    pair = side_by_side(left, right)
    result = heap([pair.picture])[0]
    regions = [majority_region(result.regions.label_map, mask) for mask in (pair.left, pair.right)]
    return {
        "left": left.key,
        "right": right.key,
        "different_regions": regions[0] != regions[1],
        "object_in_each_half": in_both_halves(result, pair.seam),
        "regions": len(result.regions.areas),
        "objects": len(result.objects),
    }


def side_by_side(left: Example, right: Example) -> Pair:
    """Put two photos beside each other, both at the height of the lower one."""
    both = [read(left), read(right)]
    height = min(picture.height for picture, _ in both)
    photos = [_at_height(picture.pixels, height) for picture, _ in both]
    masks = [_at_height(truth.astype(np.uint8), height) > 0 for _, truth in both]
    pixels = np.ascontiguousarray(np.concatenate(photos, axis=1))
    key = f"{left.key} | {right.key}"
    return Pair(
        Picture(key, pixels, pixels.shape[1], height, digest="", note=None),
        np.concatenate([masks[0], np.zeros_like(masks[1])], axis=1),
        np.concatenate([np.zeros_like(masks[0]), masks[1]], axis=1),
        photos[0].shape[1],
    )


def majority_region(label_map: np.ndarray, mask: Bool[np.ndarray, "height width"]) -> int:
    """The region of most of the patches that lie in the mask.

    Those are the patches that are at least half covered, or, where there is none, the one that is
    covered most.
    """
    rows, cols = label_map.shape
    cells = Image.fromarray(mask.astype(np.uint8) * 255).resize((cols, rows), Image.Resampling.BOX)
    covered = np.asarray(cells)
    inside = covered >= min(128, covered.max())
    return int(np.bincount(label_map[inside]).argmax())


def in_both_halves(result: ImageResult, seam: int) -> bool:
    """Whether each half has an object that lies almost wholly in it."""
    shares = [mask[:, :seam].sum() / mask.sum() for mask in result.to_numpy()["masks"]]
    return any(share >= INSIDE for share in shares) and any(share <= 1 - INSIDE for share in shares)


def _at_height(pixels: UInt8[np.ndarray, "height width *colour"], height: int) -> np.ndarray:
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    how = Image.Resampling.BICUBIC if pixels.ndim == 3 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(pixels).resize((width, height), how))


STUDY = Study("pairs-v1", bench, summarise)

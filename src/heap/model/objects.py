"""From foreground to objects: its connected parts, cut where the halves have nothing in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image
from scipy.ndimage import label

from heap.config import DiscoverConfig
from heap.masks.guided_filter import GuidedFilter, resize
from heap.model.proposals import propose
from heap.model.separation import separate
from heap.results import Objects, Regions, Rle

GUIDE_SIDE = 1024
"""Masks follow the edges of the image at the area of a square of this side at most."""

_LEFT = 0.25
"""An object has at least this part of the least area along the edges of the image too, where a part
that was salient by chance may shrink to a few pixels."""

Upsample = Callable[
    [Float32[np.ndarray, "map grid_h grid_w"]], Float32[np.ndarray, "map mask_h mask_w"]
]
"""Brings maps on the patch grid to the size of the masks of an image."""


@dataclass(frozen=True)
class Part:
    """A connected part of the patch grid that is, or may be, an object."""

    cells: Bool[np.ndarray, "grid_h grid_w"]
    region: int
    """That most of its patches belong to."""
    score: float
    """In [0, 1], see `part_score`; of a proposal below 0.1."""


def find_objects(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    regions: Regions,
    patches: Float32[np.ndarray, "patch dim"],
    whitened: Float32[np.ndarray, "patch _dim"],
    pixels: UInt8[np.ndarray, "height width 3"],
    size: tuple[int, int],
    config: DiscoverConfig,
) -> Objects:
    """Objects of one image, best first, masks and boxes at its original `size` (width, height).

    Parts of which next to nothing is left in the image are none. Embeddings have no columns yet,
    see `heap.model.embedding`. What is special about the patches, `whitened`, tells things apart;
    `patches` as they are tell what further guesses go together.
    """
    parts = foreground_parts(saliency, regions, whitened, config)
    cells = [part.cells for part in parts]
    upsample = upsampling(pixels, refine=config.refine)
    masks = pixel_masks(saliency, cells, upsample, config.threshold)
    guesses = proposed_parts(saliency, regions, patches, parts, config)
    for guess in guesses:
        # Each on its own, for they overlap.
        whole = guess.cells.astype(np.float32)
        masks += pixel_masks(whole, [guess.cells], upsample, 0.5)
    found = []
    # Where low scores are allowed, a guess may be better than an object.
    each = zip(parts + guesses, masks, strict=True)
    for part, mask in sorted(each, key=lambda pair: -pair[0].score):
        box, full = at_size(mask, size)
        if full.any() and full.mean() >= _LEFT * config.min_area:
            found.append((part, box, Rle.encode(full)))
    return Objects(
        boxes=np.array([box for _, box, _ in found], dtype=np.float32).reshape(-1, 4),
        scores=np.array([part.score for part, _, _ in found], dtype=np.float32),
        masks=tuple(rle for *_, rle in found),
        embeddings=np.zeros((len(found), 0), dtype=np.float32),
        regions=np.array([part.region for part, _, _ in found], dtype=np.int64),
    )


def foreground_parts(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    regions: Regions,
    whitened: Float32[np.ndarray, "patch dim"],
    config: DiscoverConfig,
) -> list[Part]:
    """Connected parts of the foreground, taken apart where they show several things; best first.

    Two halves of a part are one thing if the cosine of their mean `whitened` features is above
    `config.merge`. Regions do not cut: where they lie depends on rounding, and objects were never
    the better for it. Parts are 4-connected. There are none in an image whose best part has a low
    score: it is taken for one without objects.
    """
    foreground = saliency > config.threshold
    smallest = max(1, round(2 * config.min_area * foreground.size))
    numbered, count = label(foreground)
    parts = [
        Part(cells, _region_of(cells, regions), part_score(saliency, cells))
        for number in range(1, count + 1)
        for cells in separate(numbered == number, whitened, config.merge, smallest)
        if cells.mean() >= config.min_area
    ]
    parts.sort(key=lambda part: -part.score)
    return parts if parts and parts[0].score >= config.min_score else []


def part_score(
    saliency: Float32[np.ndarray, "grid_h grid_w"], cells: Bool[np.ndarray, "grid_h grid_w"]
) -> float:
    """Mean saliency of a part times the root of its share of the image: sure and large, in [0, 1].

    It can be compared between images: where there is no object, what is salient is small or unsure.
    """
    return float(saliency[cells].mean() * cells.mean() ** 0.5)


def proposed_parts(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    regions: Regions,
    patches: Float32[np.ndarray, "patch dim"],
    parts: Sequence[Part],
    config: DiscoverConfig,
) -> list[Part]:
    """Further guesses beside the parts, so many as are asked for, see `propose`."""
    known = [part.cells for part in parts]
    found = propose(saliency, patches, known, config.proposals, config.min_area)
    return [Part(each.cells, _region_of(each.cells, regions), each.score) for each in found]


def _region_of(cells: Bool[np.ndarray, "grid_h grid_w"], regions: Regions) -> int:
    return int(np.bincount(regions.label_map[cells]).argmax())


def upsampling(pixels: UInt8[np.ndarray, "height width 3"], *, refine: bool) -> Upsample:
    """To the size of the image or of `GUIDE_SIDE`; along the edges of the image, or bilinearly."""
    height, width, _ = pixels.shape
    scale = GUIDE_SIDE / (height * width) ** 0.5
    size = (height, width)
    if scale < 1:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        small = Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.BOX)
        pixels = np.asarray(small)
    if refine:
        return GuidedFilter().along(pixels)
    return lambda maps: np.stack([resize(plane, size) for plane in maps])


def pixel_masks(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    parts: Sequence[Bool[np.ndarray, "grid_h grid_w"]],
    upsample: Upsample,
    threshold: float,
) -> list[Bool[np.ndarray, "mask_h mask_w"]]:
    """One mask for the cells of each part, disjoint; each is one connected piece, possibly empty.

    The map of a part is its saliency, upsampled. A pixel is foreground where the sum of the maps is
    above the threshold, and belongs to the part whose map is highest there.
    """
    if not parts:
        return []
    fine = upsample(np.stack([saliency * cells for cells in parts]).astype(np.float32))
    foreground, owner = fine.sum(axis=0) > threshold, fine.argmax(axis=0)
    return [largest_piece(foreground & (owner == index)) for index in range(len(parts))]


def largest_piece(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The largest 4-connected part, of equal ones the first as rows are read; empty if none."""
    numbered, count = label(mask)
    if count < 2:
        return mask
    return np.asarray(numbered == np.bincount(numbered.ravel())[1:].argmax() + 1)


def at_size(
    mask: Bool[np.ndarray, "mask_h mask_w"], size: tuple[int, int]
) -> tuple[tuple[float, float, float, float], Bool[np.ndarray, "height width"]]:
    """The mask at (width, height) and its tight box; edges stay smooth where it grows."""
    if mask.shape != (size[1], size[0]):
        grown = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
        # Halves are rounded up in both directions: above 128, what was disjoint stays disjoint.
        mask = np.asarray(grown) > 128
    return (tight_box(mask) if mask.any() else (0.0, 0.0, 0.0, 0.0)), mask


def tight_box(mask: Bool[np.ndarray, "h w"]) -> tuple[float, float, float, float]:
    """The xyxy box of all that is set in a mask, at least one cell; x2 and y2 exclusive."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(cols[0]), float(rows[0]), float(cols[-1]) + 1, float(rows[-1]) + 1

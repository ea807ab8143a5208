"""Objects of an image: connected parts of its foreground, cut where their halves are unlike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image
from scipy.ndimage import label

from heap.base.timing import timed
from heap.config import DiscoverConfig
from heap.masks.guided_filter import GuidedFilter, resize
from heap.model.analysis import Analysis
from heap.model.proposals import propose
from heap.model.separation import separate
from heap.results import Objects, Regions, Rle

GUIDE_SIDE = 1024
"""Side of a square at whose area masks are refined at most; larger ones are scaled up from there.
It bounds time and memory of refinement, which grow with pixels times objects."""

_MIN_AREA_REFINED = 0.25
"""Share of `DiscoverConfig.min_area` that must be left of a mask along the edges of the image. A
part that was salient by chance may shrink to a few pixels there, and is no object."""

Upsample = Callable[
    [Float32[np.ndarray, "map grid_h grid_w"]], Float32[np.ndarray, "map mask_h mask_w"]
]
"""Function that brings maps on the patch grid to the size of the masks of an image."""


@dataclass(frozen=True)
class Part:
    """Connected part of the patch grid that is, or may be, an object."""

    cells: Bool[np.ndarray, "grid_h grid_w"]
    region: int
    """Region that most of its patches belong to."""
    score: float
    """Score in [0, 1], see `part_score`; below 0.1 for a proposal."""


def find_objects(
    analysis: Analysis,
    pixels: UInt8[np.ndarray, "height width 3"],
    size: tuple[int, int],
    config: DiscoverConfig,
) -> Objects:
    """Objects of one image, best first, masks and boxes at its original `size` (width, height).

    Parts whose mask in the image is next to nothing are left out. Embeddings have no columns yet,
    see `heap.model.embedding`.
    """
    parts = foreground_parts(analysis, config)
    proposals = proposed_parts(analysis, parts, config)
    masks = _find_masks(analysis, parts, proposals, pixels, config)
    kept = []
    # Sorted together: where low scores are allowed, a proposal may be better than an object.
    pairs = zip(parts + proposals, masks, strict=True)
    for part, mask in sorted(pairs, key=lambda pair: -pair[0].score):
        with timed("masks"):
            box, full = resize_mask(mask, size)
            if full.any() and full.mean() >= _MIN_AREA_REFINED * config.min_area:
                kept.append((part, box, Rle.encode(full)))
    return Objects(
        # Reshaped, for an array of no boxes would have no second axis.
        boxes=np.array([box for _, box, _ in kept], dtype=np.float32).reshape(-1, 4),
        scores=np.array([part.score for part, _, _ in kept], dtype=np.float32),
        masks=tuple(rle for *_, rle in kept),
        embeddings=np.zeros((len(kept), 0), dtype=np.float32),
        regions=np.array([part.region for part, _, _ in kept], dtype=np.int64),
    )


def _find_masks(
    analysis: Analysis,
    parts: Sequence[Part],
    proposals: Sequence[Part],
    pixels: UInt8[np.ndarray, "height width 3"],
    config: DiscoverConfig,
) -> list[Bool[np.ndarray, "mask_h mask_w"]]:
    """Mask of each part, then of each proposal."""
    if not parts and not proposals:
        return []  # The pixels need not be looked at.
    upsample = make_upsample(pixels, refine=config.refine)
    cells = [part.cells for part in parts]
    masks = pixel_masks(analysis.saliency, cells, upsample, config.threshold)
    for proposal in proposals:
        # One by one: masks of one call are disjoint, but proposals may overlap. Their map is binary
        # and not the saliency, which may be low in all of a proposal; its outline is at a half.
        binary = proposal.cells.astype(np.float32)
        masks += pixel_masks(binary, [proposal.cells], upsample, 0.5)
    return masks


def foreground_parts(analysis: Analysis, config: DiscoverConfig) -> list[Part]:
    """Connected parts of the foreground, cut where they show several things; best first.

    Two halves of a part are one thing if the cosine of their means is above `config.merge`, after
    the discriminant. Borders of regions do not cut: where they lie depends on rounding, and objects
    were never better for it (docs/quality.md, "Things that touch"). Parts are 4-connected. If the
    best part has a score below `config.min_score`, the image is taken for one without objects.
    """
    foreground = analysis.saliency > config.threshold
    smallest = smallest_half(foreground.size, config)
    numbered, count = label(foreground)  # SciPy's default is 4-connectivity; 0 is background
    parts = [
        Part(
            cells,
            _region_of(cells, analysis.regions),
            part_score(analysis.saliency, analysis.objectness, cells),
        )
        for number in range(1, count + 1)
        for cells in separate(numbered == number, analysis.discriminant, config.merge, smallest)
        if cells.mean() >= config.min_area
    ]
    parts.sort(key=lambda part: -part.score)
    return parts if parts and parts[0].score >= config.min_score else []


def smallest_half(patches: int, config: DiscoverConfig) -> int:
    """Least number of patches, of so many of an image, that are cut off a part.

    Twice the least area: a half that barely counts as an object stays where it is.
    """
    return max(1, round(2 * config.min_area * patches))


def part_score(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    objectness: Float32[np.ndarray, "grid_h grid_w"],
    cells: Bool[np.ndarray, "grid_h grid_w"],
) -> float:
    """Mean saliency of a part, times its mean objectness, times the root of its share of the image.

    In [0, 1]. So sure, thing-like and large parts come first. It can be compared between images:
    where there is no object, what is salient is no thing, small or unsure (docs/quality.md,
    "Nothing here").
    """
    return float(saliency[cells].mean() * objectness[cells].mean() * cells.mean() ** 0.5)


def proposed_parts(analysis: Analysis, parts: Sequence[Part], config: DiscoverConfig) -> list[Part]:
    """Up to `config.proposals` proposals beside the parts, as parts, see `propose`.

    They are pieces that hang together by the patches as they are, not whitened.
    """
    known = [part.cells for part in parts]
    saliency, patches = analysis.saliency, analysis.patches
    return [
        Part(proposal.cells, _region_of(proposal.cells, analysis.regions), proposal.score)
        for proposal in propose(saliency, patches, known, config.proposals, config.min_area)
    ]


def _region_of(cells: Bool[np.ndarray, "grid_h grid_w"], regions: Regions) -> int:
    return int(np.bincount(regions.label_map[cells]).argmax())


def make_upsample(pixels: UInt8[np.ndarray, "height width 3"], *, refine: bool) -> Upsample:
    """Make the function that upsamples maps to the size of an image, limited by `GUIDE_SIDE`.

    With `refine` maps follow the edges of the image, otherwise they are interpolated bilinearly.
    """
    height, width, _ = pixels.shape
    scale = GUIDE_SIDE / (height * width) ** 0.5  # of sides, so that areas become equal
    size = (height, width)
    if scale < 1:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        small = Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.BOX)
        pixels = np.asarray(small)
    if refine:
        return GuidedFilter().guide(pixels)
    return lambda maps: np.stack([resize(plane, size) for plane in maps])


@timed("masks")
def pixel_masks(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    parts: Sequence[Bool[np.ndarray, "grid_h grid_w"]],
    upsample: Upsample,
    threshold: float,
) -> list[Bool[np.ndarray, "mask_h mask_w"]]:
    """Disjoint masks, one for the cells of each part; a mask is one connected piece, or empty.

    The map of a part is its saliency, upsampled. A pixel is foreground where the sum of the maps is
    above the threshold, and belongs to the part whose map is highest there.
    """
    if not parts:
        return []
    fine = upsample(np.stack([saliency * cells for cells in parts]).astype(np.float32))
    # Upsampling is linear, so the sum is the map of all parts together: where two of them touch,
    # the pixels between them are divided and not lost.
    foreground, owner = fine.sum(axis=0) > threshold, fine.argmax(axis=0)
    return [largest_piece(foreground & (owner == index)) for index in range(len(parts))]


def largest_piece(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Largest 4-connected piece, of equal ones the first in reading order; empty if none."""
    numbered, count = label(mask)
    if count < 2:
        return mask
    # The first count is of the background, 0.
    return np.asarray(numbered == np.bincount(numbered.ravel())[1:].argmax() + 1)


def resize_mask(
    mask: Bool[np.ndarray, "mask_h mask_w"], size: tuple[int, int]
) -> tuple[tuple[float, float, float, float], Bool[np.ndarray, "height width"]]:
    """Tight box, and the mask resized to (width, height); edges stay smooth where it grows.

    The box of an empty mask is all zeros.
    """
    if mask.shape != (size[1], size[0]):
        grown = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
        # Between two masks that touch both are at 127.5, which rounds to 128 for either of them:
        # only with a threshold above that do disjoint masks stay disjoint.
        mask = np.asarray(grown) > 128
    return (tight_box(mask) if mask.any() else (0.0, 0.0, 0.0, 0.0)), mask


def tight_box(mask: Bool[np.ndarray, "h w"]) -> tuple[float, float, float, float]:
    """Xyxy box around the set cells of a mask, at least one; x2 and y2 exclusive."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(cols[0]), float(rows[0]), float(cols[-1]) + 1, float(rows[-1]) + 1

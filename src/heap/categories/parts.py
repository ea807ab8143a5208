"""Masks that a person hands over, and what follows from them: box, region, and parts of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64
from PIL import Image
from scipy.ndimage import label

from heap.base.errors import InputError
from heap.masks.outlines import crop_to_box
from heap.masks.scaling import smooth_labels
from heap.results import ImageResult, Rle
from heap.store.rows import mask_cells

Mask = Bool[np.ndarray, "height width"]

_SPECK = 0.01
"""Share of the largest part below which another one is not an object by itself."""


def mask_of(value: Any, size: tuple[int, int], name: str) -> Mask:
    """Dense mask from what a program holds, in an image of `size` (width, height).

    That is an array or tensor of the shape (height, width), in which what is above 0 is inside; an
    `Rle`; or COCO's {"size": [height, width], "counts": ...} with compressed or plain run lengths.

    Raises:
        InputError: if it is something else, has another size or nothing inside; says `name`.
    """
    try:
        mask = _dense(value)
    except (TypeError, ValueError, KeyError, RuntimeError, IndexError) as error:
        raise InputError(
            f"the mask of {name} cannot be used ({error}); give an array of the shape (height, "
            "width), or COCO's size and counts"
        ) from None
    if mask.shape != (size[1], size[0]):
        raise InputError(
            f"the mask of {name} has the shape {mask.shape}; the upright image has {size[1]} rows "
            f"and {size[0]} columns"
        )
    if not mask.any():
        raise InputError(
            f"the mask of {name} is empty; reject the object if there is nothing to keep of it"
        )
    return mask


def _dense(value: Any) -> Mask:
    if isinstance(value, Mapping):
        height, width = (int(side) for side in value["size"])
        counts = value["counts"]
        if isinstance(counts, bytes):
            counts = counts.decode("ascii")
        value = Rle(height, width, counts) if isinstance(counts, str) else from_counts(
            counts, (height, width)
        )  # fmt: skip
    array = value.decode() if isinstance(value, Rle) else np.asarray(value)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ValueError(f"it has {array.ndim} dimensions of {array.dtype}")
    return np.asarray(array > 0)


def from_counts(counts: Iterable[int], shape: tuple[int, int]) -> Mask:
    """Decode COCO's plain run lengths: outside, inside and so on, column by column.

    Raises:
        ValueError: unless they are as many as the pixels of `shape` (height, width).
    """
    lengths, pixels = list(counts), shape[0] * shape[1]
    # As Python's numbers, which cannot overflow.
    if any(not 0 <= length <= pixels for length in lengths) or sum(lengths) != pixels:
        raise ValueError(f"the run lengths do not make {shape[0]} x {shape[1]} pixels")
    runs = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.asarray(runs.reshape(shape, order="F"))


def to_counts(mask: Mask) -> list[int]:
    """Encode a mask as COCO's plain run lengths."""
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    lengths: list[int] = np.diff([0, *changes.tolist(), pixels.size]).tolist()
    return [0, *lengths] if pixels.size and pixels[0] else lengths


def shape_cells(mask: Mask, result: ImageResult) -> dict[str, Any]:
    """Cells of the row of an object that follow from its mask: box, region, and the mask itself.

    The region is that with most of the mask in it, as of objects that are discovered.
    """
    part, (left, top) = crop_to_box(mask)
    grid_h, grid_w = result.regions.label_map.shape
    shares = Image.fromarray(mask.astype(np.float32)).resize((grid_w, grid_h), Image.Resampling.BOX)
    inside = np.bincount(result.regions.label_map.ravel(), np.asarray(shares).ravel())
    return {
        "x1": float(left),
        "y1": float(top),
        "x2": float(left + part.shape[1]),
        "y2": float(top + part.shape[0]),
        "region": int(inside.argmax()),
        **mask_cells(Rle.encode(mask)),
    }


def connected_parts(mask: Mask) -> list[Mask]:
    """Parts of a mask that do not touch, the largest first; specks stay with the largest."""
    numbers, _ = label(mask)
    return _parts(np.asarray(numbers, dtype=np.int64))


def parts_by_region(mask: Mask, result: ImageResult) -> list[Mask]:
    """Parts of a mask in each region of its image, the largest first."""
    regions = smooth_labels(result.regions.label_map, (result.width, result.height))
    return _parts(np.where(mask, regions + 1, 0))


def _parts(numbers: Int64[np.ndarray, "height width"]) -> list[Mask]:
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0  # outside of the mask
    order = np.argsort(-sizes, kind="stable")
    whole = [int(number) for number in order if sizes[number] > _SPECK * sizes.max()]
    masks = [numbers == number for number in whole]
    if masks:
        masks[0] = masks[0] | (~np.isin(numbers, whole) & (numbers > 0))
    return masks


def overlaps(masks: Sequence[Mask]) -> bool:
    """Whether any pixel is in two of the masks."""
    return bool((np.sum(masks, axis=0, dtype=np.int64) > 1).any())

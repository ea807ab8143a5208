"""Masks from COCO's polygons and run lengths."""

from types import ModuleType
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool
from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError

from heap.base.errors import InputError

_Corners = Annotated[list[FiniteFloat], Field(min_length=6)]
_STRICT = ConfigDict(strict=True)
_POLYGONS = TypeAdapter(Annotated[list[_Corners], Field(min_length=1)], config=_STRICT)
_COUNTS: TypeAdapter[list[int] | str] = TypeAdapter(list[int] | str, config=_STRICT)


def segmentation_mask(
    segmentation: Any, height: int, width: int
) -> Bool[np.ndarray, "height width"]:
    """Decode the pixels of a segmentation, the same that pycocotools decodes.

    Raises:
        ValueError: saying what is wrong with it.
        InputError: if it has polygons, and the library that rasterises them is not installed.
    """
    if isinstance(segmentation, dict):
        return _mask_of_runs(segmentation, height, width)
    return _mask_of_polygons(segmentation, height, width)


def require_polygons() -> ModuleType:
    """Import the library that rasterises polygons.

    It gives the pixels of pycocotools, without the warnings of that library.

    Raises:
        InputError: if it is not installed.
    """
    try:
        from faster_coco_eval.core import mask
    except ImportError as error:
        needed = "COCO's polygons are read with faster-coco-eval: pip install 'heap[eval]'"
        raise InputError(needed) from error
    module: ModuleType = mask
    return module


def _mask_of_polygons(polygons: Any, height: int, width: int) -> Bool[np.ndarray, "height width"]:
    coco = require_polygons()
    try:
        checked = _POLYGONS.validate_python(polygons)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = "".join(f"[{index}]" for index in fault["loc"])
        raise ValueError(f"the polygons{where} are malformed: {fault['msg']}") from None
    for number, corners in enumerate(checked):
        _check_corners(corners, number, height, width)
    runs = coco.merge(coco.frPyObjects(checked, height, width))
    return np.asarray(coco.decode(runs), dtype=bool)


def _check_corners(corners: list[float], number: int, height: int, width: int) -> None:
    if len(corners) % 2:
        raise ValueError(f"polygon {number} has an x without a y")
    x, y = np.array(corners).reshape(-1, 2).T
    # Parts outside the picture are cut off, but the library walks along every edge, however long:
    # a corner far outside would keep it busy for ever.
    far = max(-x.min() / width, x.max() / width, -y.min() / height, y.max() / height)
    if far > 2:
        raise ValueError(f"polygon {number} is far outside the picture of {width} x {height}")


def _mask_of_runs(
    runs: dict[Any, Any], height: int, width: int
) -> Bool[np.ndarray, "height width"]:
    from supervision import rle_to_mask

    size, counts = runs.get("size"), runs.get("counts")
    if size != [height, width]:
        raise ValueError(f"the run lengths are of size {size!r}, not {[height, width]}")
    try:
        checked = _COUNTS.validate_python(counts)
        return np.asarray(rle_to_mask(checked, (width, height)), dtype=bool)
    except ValidationError:
        raise ValueError("the counts are neither a text nor a list of whole numbers") from None
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the run lengths cannot be read: {error}") from None

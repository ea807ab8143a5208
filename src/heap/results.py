"""Result of one image, in one frozen object that converts to what others use.

Boxes are xyxy, 0-based pixel edges with x2 and y2 exclusive, in the upright (EXIF-rotated)
original.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from jaxtyping import Bool, Float32, Int64
from PIL import Image

from heap.base.numbers import whole_number
from heap.masks.palette import OBJECTS, rgb
from heap.masks.scaling import encode_image, fit_size, scale_mask

if TYPE_CHECKING:
    import pandas as pd
    from supervision import Detections

_PICTURE_SIDE = 480
"""Longest side, in pixels, of the picture in a notebook."""
_OPACITY = 0.6
_SCORES = 3
"""Scores that the short form of objects names."""


class Compared:
    """Dataclass with arrays that compares and hashes by content; NaN is equal to itself."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(
            _same(getattr(self, part.name), getattr(other, part.name))
            for part in fields(self)  # type: ignore[arg-type]  # of a dataclass
        )

    def __hash__(self) -> int:
        parts = (getattr(self, part.name) for part in fields(self))  # type: ignore[arg-type]
        # The shapes stand for arrays: 0.0 and -0.0 are equal and have other bytes.
        return hash(tuple(part.shape if isinstance(part, np.ndarray) else part for part in parts))


@dataclass(frozen=True)
class Rle:
    """Mask as COCO's compressed run lengths (column-major)."""

    height: int
    width: int
    counts: str = field(repr=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Dense mask, so that `np.asarray(mask)` and `np.stack(masks)` give arrays."""
        if copy is False:
            raise ValueError("a mask is stored as run lengths; its array is always a new one")
        return self.decode().astype(dtype or bool)

    @classmethod
    def encode(cls, mask: Bool[np.ndarray, "height width"]) -> "Rle":
        """Compress a dense mask; it must not be empty in either direction."""
        from supervision import mask_to_rle

        height, width = mask.shape
        return cls(height, width, str(mask_to_rle(mask, compressed=True)))

    def decode(self) -> Bool[np.ndarray, "height width"]:
        """Decompress to a dense mask."""
        from supervision import rle_to_mask

        return np.asarray(rle_to_mask(self.counts, (self.width, self.height)), dtype=bool)


@dataclass(frozen=True, eq=False, repr=False)
class Objects(Compared):
    """Connected foreground parts of an image, and proposals if there are any; best score first."""

    boxes: Float32[np.ndarray, "object 4"]
    scores: Float32[np.ndarray, " object"]
    """Scores in [0, 1] for sure and large parts, see `heap.model.objects.part_score`."""
    masks: tuple[Rle, ...]
    """Masks at the size of the upright original."""
    embeddings: Float32[np.ndarray, "object dim"]
    """Embeddings of the boxes by the encoder, see `Heap.embed`; to be compared by cosine."""
    regions: Int64[np.ndarray, " object"]
    """Region, a row of `Regions`, that most of the object lies in."""

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.masks)

    def __repr__(self) -> str:
        scores = ", ".join(f"{score:.2f}" for score in self.scores[:_SCORES])
        more = ", ..." if len(self) > _SCORES else ""
        return f"Objects({len(self)}, scores [{scores}{more}])"


@dataclass(frozen=True, eq=False, repr=False)
class Regions(Compared):
    """Regions of an image: patches merged by features and saliency, see `heap.model.regions`."""

    label_map: Int64[np.ndarray, "grid_h grid_w"]
    """Region of each patch, a row of the arrays below."""
    embeddings: Float32[np.ndarray, "region dim"]
    """Mean feature of the patches of a region."""
    scores: Float32[np.ndarray, " region"]
    """Foreground probability in [0, 1], the mean saliency of the patches."""
    areas: Float32[np.ndarray, " region"]
    """Share of the image; they sum to 1."""

    def __len__(self) -> int:
        """Number of regions."""
        return len(self.scores)

    def __repr__(self) -> str:
        rows, columns = self.label_map.shape
        return f"Regions({len(self)}, in {rows} × {columns} patches)"


@dataclass(frozen=True, eq=False, repr=False)
class ImageResult(Compared):
    """Objects, regions and saliency of one image."""

    key: str
    """Name of the image in its run."""
    width: int
    height: int
    """Size of the upright original, in pixels."""
    objects: Objects
    regions: Regions
    saliency: Float32[np.ndarray, "grid_h grid_w"]
    """Foreground probability of each patch."""
    foreground: Float32[np.ndarray, " dim"]
    background: Float32[np.ndarray, " dim"]
    """Image-level embeddings F^f and F^b."""

    def __repr__(self) -> str:
        size = f"{self.width} × {self.height}"
        return f"ImageResult({self.key!r}, {size}, {self.objects!r}, {self.regions!r})"

    def _repr_png_(self) -> bytes:
        """Picture for notebooks: objects in colours on the saliency; a result has no photo."""
        size = fit_size((self.width, self.height), _PICTURE_SIDE)
        grey = Image.fromarray(np.rint(self.saliency * 255).astype(np.uint8))
        scene = np.asarray(grey.resize(size, Image.Resampling.BICUBIC).convert("RGB")).copy()
        # The best object is drawn last, over proposals that overlap it.
        for at, mask in reversed(list(enumerate(self.objects.masks))):
            inside = scale_mask(mask.decode(), size)
            colour = np.array(rgb(OBJECTS[at % len(OBJECTS)]))
            blended = _OPACITY * colour + (1 - _OPACITY) * scene[inside]
            scene[inside] = np.rint(blended).astype(np.uint8)
        return encode_image(Image.fromarray(scene), "PNG")

    def to_coco(
        self, image_id: SupportsIndex = 1, first_id: SupportsIndex = 1
    ) -> list[dict[str, Any]]:
        """Objects as COCO annotations: xywh boxes, RLE masks, one category, scores.

        Raises:
            InputError: if a number of an image or annotation is no whole number.
        """
        image, first = whole_number("image_id", image_id), whole_number("first_id", first_id)
        objects = self.objects
        rows = zip(objects.boxes.tolist(), objects.scores.tolist(), objects.masks, strict=True)
        return [
            {"id": number, "image_id": image, **coco_annotation(1, *row)}
            for number, row in enumerate(rows, start=first)
        ]

    def to_supervision(self) -> "Detections":
        """Objects as supervision's `Detections`, masks dense, region number as class."""
        from supervision import Detections

        if not len(self.objects):
            return Detections.empty()
        return Detections(
            xyxy=self.objects.boxes,
            mask=self.to_numpy()["masks"],
            confidence=self.objects.scores,
            class_id=self.objects.regions.astype(int),
        )

    def to_pandas(self) -> "pd.DataFrame":
        """Objects as a table for pandas, which must be installed: a row for each, best first.

        Columns that `run.objects.to_pandas()` has too are called and mean the same.
        """
        import pandas as pd

        objects = self.objects
        edges = dict(zip(("x1", "y1", "x2", "y2"), objects.boxes.T, strict=True))
        areas = np.array([mask.decode().sum() for mask in objects.masks], dtype=np.int64)
        columns = {
            "id": [f"{self.key}#{at}" for at in range(len(objects))],
            "key": [self.key] * len(objects),
            **edges,
            "score": objects.scores,
            "area": areas,
            "region": objects.regions,
        }
        return pd.DataFrame(columns)

    def to_numpy(self) -> dict[str, np.ndarray]:
        """Plain arrays: boxes, scores, masks (object, height, width), regions, saliency."""
        dense = [mask.decode() for mask in self.objects.masks]
        # NumPy does not stack an empty list.
        empty = np.zeros((0, self.height, self.width), dtype=bool)
        return {
            "boxes": self.objects.boxes,
            "scores": self.objects.scores,
            "masks": np.stack(dense) if dense else empty,
            "regions": self.regions.label_map,
            "saliency": self.saliency,
        }


def _same(ours: Any, theirs: Any) -> bool:
    if not isinstance(ours, np.ndarray):
        return bool(ours == theirs) or bool(ours != ours and theirs != theirs)
    # Only floats have NaN, and NumPy asks for it in no other array.
    return np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f")


def coco_annotation(category: int, box: Sequence[float], score: float, mask: Rle) -> dict[str, Any]:
    """Annotation of an object for COCO, without its ids.

    The score is extra, so that the list of annotations alone serves as detections.
    """
    x1, y1, x2, y2 = box
    return {
        "category_id": category,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": int(mask.decode().sum()),
        "segmentation": {"size": [mask.height, mask.width], "counts": mask.counts},
        "iscrowd": 0,  # other writers mark masks with holes or in pieces as crowds
        "score": score,
    }

"""Result of one image, in one frozen object that converts to what others use.

Boxes are xyxy, 0-based pixel edges with x2 and y2 exclusive, in the upright (EXIF-rotated)
original.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

if TYPE_CHECKING:
    from supervision import Detections


@dataclass(frozen=True)
class Rle:
    """Mask as COCO's compressed run lengths (column-major)."""

    height: int
    width: int
    counts: str

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


@dataclass(frozen=True)
class Objects:
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


@dataclass(frozen=True)
class Regions:
    """Regions of an image: patches merged by features and saliency, see `heap.model.regions`."""

    label_map: Int64[np.ndarray, "grid_h grid_w"]
    """Region of each patch, a row of the arrays below."""
    embeddings: Float32[np.ndarray, "region dim"]
    """Mean feature of the patches of a region."""
    scores: Float32[np.ndarray, " region"]
    """Foreground probability in [0, 1], the mean saliency of the patches."""
    areas: Float32[np.ndarray, " region"]
    """Share of the image; they sum to 1."""


@dataclass(frozen=True)
class ImageResult:
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

    def to_coco(self, image_id: int = 1, first_id: int = 1) -> list[dict[str, Any]]:
        """Objects as COCO annotations: xywh boxes, RLE masks, one category, scores."""
        objects = self.objects
        rows = zip(objects.boxes.tolist(), objects.scores.tolist(), objects.masks, strict=True)
        return [
            {"id": number, "image_id": image_id, **coco_annotation(1, *row)}
            for number, row in enumerate(rows, start=first_id)
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

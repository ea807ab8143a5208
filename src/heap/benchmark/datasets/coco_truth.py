"""Truth of one image from its COCO annotations."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from heap.benchmark.datasets.boxes import box_fault
from heap.benchmark.datasets.coco_file import CocoAnnotation, CocoImage
from heap.benchmark.datasets.coco_masks import segmentation_mask
from heap.benchmark.datasets.problems import DataError, Problem, refuse_problems
from heap.benchmark.truth import VOID, Truth

MASK_BYTES = 2**31
"""Masks of one image that would take more are refused."""


@dataclass(frozen=True)
class CocoReader:
    """Reader of the annotations of one image."""

    path: Path
    """Path of the JSON file, for messages."""
    image: CocoImage
    annotations: tuple[CocoAnnotation, ...]
    names: dict[int, str]
    """Names of the classes, by category id."""
    numbers: dict[int, int] | None
    """Numbers of the classes, by category id; None if there are too many for a map."""
    masks: bool
    """Whether the data set has segmentations."""
    rounded: bool
    """Whether corners of boxes are rounded to whole pixels, as LOST and its successors do."""

    def __call__(self, width: int, height: int) -> Truth:
        """Read the annotations of the image.

        Foreground is all instances but crowds; void are crowds where there is no instance. In the
        class map the smaller of two instances is on top.
        """
        self._check_size(width, height)
        boxes, crowds = self._boxes(width, height), self._crowds
        names = tuple(self.names[annotation.category_id] for annotation in self.annotations)
        if not self.masks:
            return Truth(boxes, crowds, box_classes=names)
        instances = self._instances(width, height)
        foreground = instances[~crowds].any(axis=0)
        void = instances[crowds].any(axis=0) & ~foreground
        classes = self._classes(instances, void)
        return Truth(boxes, crowds, foreground, void, classes, instances, names)

    @property
    def _crowds(self) -> Bool[np.ndarray, " object"]:
        return np.array([annotation.iscrowd == 1 for annotation in self.annotations], dtype=bool)

    def _check_size(self, width: int, height: int) -> None:
        ours = (self.image.width, self.image.height)
        if ours != (width, height):
            what = (
                f"is {ours[0]} x {ours[1]} pixels there, but {self.image.file_name} is "
                f"{width} x {height} upright"
            )
            raise DataError(Problem(f"{self.path}, image {self.image.id}", what))

    def _boxes(self, width: int, height: int) -> Float64[np.ndarray, "object 4"]:
        sides = [annotation.bbox for annotation in self.annotations]
        corners = [(x, y, x + w, y + h) for x, y, w, h in sides]
        faults = (box_fault(box, width, height) for box in corners)
        refuse_problems([
            Problem(self._place(annotation), fault)
            for annotation, fault in zip(self.annotations, faults, strict=True)
            if fault
        ])  # fmt: skip
        boxes = np.array(corners, dtype=np.float64).reshape(-1, 4)
        return np.rint(boxes) if self.rounded else boxes

    def _instances(self, width: int, height: int) -> Bool[np.ndarray, "object height width"]:
        shape = (len(self.annotations), height, width)
        if shape[0] * height * width > MASK_BYTES:
            what = f"{shape[0]} masks of {width} x {height} pixels are too large for the memory"
            raise DataError(Problem(f"{self.path}, image {self.image.id}", what))
        instances, problems = np.zeros(shape, dtype=bool), []
        for annotation, instance in zip(self.annotations, instances, strict=True):
            try:
                instance[:] = segmentation_mask(annotation.segmentation, height, width)
            except ValueError as error:
                problems.append(Problem(self._place(annotation), str(error)))
        refuse_problems(problems)
        return instances

    def _classes(
        self,
        instances: Bool[np.ndarray, "object height width"],
        void: Bool[np.ndarray, "height width"],
    ) -> UInt8[np.ndarray, "height width"] | None:
        if self.numbers is None:
            return None
        classes = np.where(void, VOID, 0).astype(np.uint8)
        areas = instances.sum(axis=(1, 2))
        for index in np.argsort(-areas, kind="stable"):
            annotation = self.annotations[index]
            if not annotation.iscrowd:
                classes[instances[index]] = self.numbers[annotation.category_id]
        return classes

    def _place(self, annotation: CocoAnnotation) -> str:
        return f"{self.path}, annotation {annotation.id}, image {self.image.file_name}"

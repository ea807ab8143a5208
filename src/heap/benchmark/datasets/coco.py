"""Data sets in COCO's format: one JSON file for all images of a folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from heap.benchmark.datasets.coco_file import CocoAnnotation, CocoFile, CocoImage, read_coco
from heap.benchmark.datasets.coco_masks import require_polygons
from heap.benchmark.datasets.coco_truth import CocoReader
from heap.benchmark.datasets.layout import Contents, Layout, find_root, missing_files, read_names
from heap.benchmark.datasets.problems import DataError, Problem, refuse_problems
from heap.benchmark.truth import VOID, Example
from heap.images.source import key_of

_TRAIN2014 = "train2014"


@dataclass(frozen=True)
class Coco(Layout):
    """Any file, and its images beside it."""

    def read(self, path: Path, splits: Sequence[str], limit: int | None) -> Contents:
        """All images of the file, annotated or not, in the split `all`."""
        annotations = path if path.is_file() else path / "instances.json"
        refuse_problems(missing_files(annotations))
        file = read_coco(annotations)
        images = sorted(file.images, key=lambda image: image.file_name)
        folder = _folder(annotations, images[0].file_name)
        examples, problems = _examples(annotations, folder, file, images[:limit], rounded=False)
        listed = {"all": len(images[:limit])}
        return Contents(path, examples, listed, tuple(problems), classes=_classes(file))


@dataclass(frozen=True)
class Coco20k(Layout):
    """Images of COCO's train2014 that a list picks, with boxes rounded as LOST does."""

    names: str = "coco_20k_filenames.txt"
    annotations: str = "annotations/instances_train2014.json"

    def read(self, path: Path, splits: Sequence[str], limit: int | None) -> Contents:
        """The listed images, in the split `all`."""
        refuse_problems(missing_files(path / self.names, path / self.annotations))
        folder = find_root(path, _TRAIN2014, "images") / _TRAIN2014
        names, annotations = read_names(path / self.names), path / self.annotations
        file = read_coco(annotations)
        by_name = {f"{_TRAIN2014}/{image.file_name}": image for image in file.images}
        chosen = sorted(names.lines)[:limit]
        unknown = [
            Problem(names.at(name), f"{name!r} is not in {annotations}")
            for name in chosen
            if name not in by_name
        ]
        images = [by_name[name] for name in chosen if name in by_name]
        examples, problems = _examples(annotations, folder, file, images, rounded=True)
        problems = [*names.problems, *unknown, *problems]
        listed = {"all": len(chosen)}
        return Contents(path, examples, listed, tuple(problems), classes=_classes(file))


def _folder(annotations: Path, first: str) -> Path:
    """Find the folder of the images, by the first of them."""
    folder, split = annotations.parent, annotations.stem.rpartition("_")[2]
    # The last two are COCO's own: annotations/instances_val2017.json beside val2017.
    places = (
        folder / "images", folder, folder.parent / split, folder.parent / "images" / split,
    )  # fmt: skip
    for place in places:
        if (place / first).is_file():
            return place
    looked = ", ".join(map(str, places))
    raise DataError(Problem(str(annotations), f"its image {first!r} is in none of {looked}"))


def _examples(
    path: Path, folder: Path, file: CocoFile, images: Sequence[CocoImage], *, rounded: bool
) -> tuple[tuple[Example, ...], list[Problem]]:
    masks = any(annotation.segmentation for annotation in file.annotations)
    # Missing software is reported now, not at the first image with a polygon.
    if any(isinstance(annotation.segmentation, list) for annotation in file.annotations):
        require_polygons()
    of_image = _by_image(file, images)
    problems = missing_files(*(folder / image.file_name for image in images))
    if masks:
        problems += _without_mask(path, of_image)
    names = {category.id: category.name for category in file.categories}
    numbers = _class_numbers(file)
    examples = (
        Example(
            key_of(image.file_name),
            folder / image.file_name,
            "all",
            CocoReader(path, image, tuple(of_image[image.id]), names, numbers, masks, rounded),
        )
        for image in images
    )
    return tuple(example for example in examples if example.image.is_file()), problems


def _by_image(file: CocoFile, images: Sequence[CocoImage]) -> dict[int, list[CocoAnnotation]]:
    by_image: dict[int, list[CocoAnnotation]] = {image.id: [] for image in images}
    for annotation in file.annotations:
        if annotation.image_id in by_image:
            by_image[annotation.image_id].append(annotation)
    return by_image


def _without_mask(path: Path, of_image: dict[int, list[CocoAnnotation]]) -> Iterator[Problem]:
    for annotation in chain.from_iterable(of_image.values()):
        if not annotation.segmentation:
            place = f"{path}, annotation {annotation.id}"
            yield Problem(place, "has no segmentation, while others have one")


def _class_numbers(file: CocoFile) -> dict[int, int] | None:
    """Numbers of classes from 1, by ascending category id; None if they would reach the void."""
    ids = sorted(category.id for category in file.categories)
    return {id: number for number, id in enumerate(ids, 1)} if len(ids) < VOID else None


def _classes(file: CocoFile) -> tuple[str, ...]:
    if _class_numbers(file) is None:
        return ()
    ordered = sorted(file.categories, key=lambda category: category.id)
    return ("background", *(category.name for category in ordered))

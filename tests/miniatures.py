"""Data sets of a few tiny pictures, laid out as the official ones are."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 12, 8
Box = tuple[object, object, object, object]


def picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), orientation: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size, "green").save(path, exif=exif)
    return path


def plane(path: Path, values: np.ndarray, *, palette: bool = False) -> Path:
    """An 8-bit mask, grey or with a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values.astype(np.uint8))
    if palette:
        image.putpalette([channel for value in range(256) for channel in (value // 2, 9, 255)])
    image.save(path)
    return path


def voc_xml(
    name: str,
    boxes: Iterable[Box] = ((2, 3, 6, 7),),
    *,
    filename: str | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> str:
    """An annotation as the devkit writes them, boxes as VOC counts."""
    objects = "".join(
        "<object><name>dog</name><pose>Left</pose><truncated>1</truncated>"
        "<difficult>1</difficult><bndbox>"
        f"<xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>"
        "<part><name>head</name><bndbox><xmin>3</xmin><ymin>3</ymin><xmax>4</xmax><ymax>4</ymax>"
        "</bndbox></part></object>\n"
        for x1, y1, x2, y2 in boxes
    )
    return (
        f"<annotation>\n<folder>VOC2012</folder>\n<filename>{filename or name + '.jpg'}</filename>"
        f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>\n"
        f"{objects}</annotation>\n"
    )


def voc(
    data: Path, year: str, lists: Mapping[str, Iterable[str]], masks: Iterable[str] = ()
) -> Path:
    """VOCdevkit in `data`; gives the folder of the year.

    Each image has one object, and in its masks class 12 in the left half and a void column 0.
    """
    root = data / "VOCdevkit" / f"VOC{year}"
    classes = np.zeros((HEIGHT, WIDTH))
    classes[:, : WIDTH // 2] = 12
    classes[:, 0] = 255
    (root / "Annotations").mkdir(parents=True)
    for listed, names in lists.items():
        file = root / "ImageSets" / f"{listed}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{name}\n" for name in names))
        for name in names:
            picture(root / "JPEGImages" / f"{name}.jpg")
            (root / "Annotations" / f"{name}.xml").write_text(voc_xml(name))
            for folder in masks:
                plane(root / folder / f"{name}.png", classes, palette=True)
    return root


def pairs(
    root: Path, images: str = "images", masks: str = "masks", names: Iterable[str] = ("a", "b")
) -> Path:
    """A saliency data set; each mask has 20 in its first column, 40 in the next, ... 240."""
    for name in names:
        picture(root / images / f"{name}.jpg")
        levels = np.tile(20 * np.arange(1, WIDTH + 1), (HEIGHT, 1))
        plane(root / masks / f"{name}.png", levels)
    return root


SQUARE = [2, 1, 6, 1, 6, 5, 2, 5]
"""A polygon: 4 x 4 pixels from (2, 1)."""


def annotation(number: int, image: int = 1, **changes: Any) -> dict[str, Any]:
    """That square, of category 7."""
    plain = {
        "id": number, "image_id": image, "category_id": 7, "bbox": [2, 1, 4, 4], "area": 16,
        "segmentation": [SQUARE], "iscrowd": 0,
    }  # fmt: skip
    return plain | changes


def coco_json(
    annotations: Iterable[Mapping[str, Any]],
    names: Iterable[str] = ("a.jpg", "b.jpg"),
    categories: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """A whole file; images count from 1."""
    categories = {7: "dog", 3: "car"} if categories is None else categories
    return {
        "info": {"year": 2014},
        "images": [
            {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT, "license": 1}
            for number, name in enumerate(names, start=1)
        ],
        "annotations": [dict(each) for each in annotations],
        "categories": [{"id": each, "name": name} for each, name in categories.items()],
    }


def coco(root: Path, annotations: Iterable[Mapping[str, Any]] | None = None) -> Path:
    """A folder of two images with instances.json; without annotations given, one for the first."""
    whole = coco_json([annotation(1)] if annotations is None else annotations)
    for image in whole["images"]:
        picture(root / "images" / image["file_name"])
    (root / "instances.json").write_text(json.dumps(whole))
    return root

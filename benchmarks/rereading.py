"""Exports of a run, read again by what people read them with.

A reader gives each image of an export with its objects, in the order in which they are there.
"""

import csv
import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import Bool
from PIL import Image, ImageDraw

SPLITS = ("train", "val")
Mask = Bool[np.ndarray, "height width"]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Read:
    """An object of an export."""

    label: str
    mask: Mask | None = None
    box: Box | None = None
    """xyxy, x2 and y2 exclusive; None where the format has no boxes."""


Images = Iterator[tuple[str, list[Read]]]
"""Name of the image in the export, below the folder of its split, and its objects."""
Reader = Callable[[Path], Images]


@dataclass(frozen=True)
class Consumer:
    """Reader of a format."""

    name: str
    read: Reader
    visible: bool = False
    """Whether a better object covers a lower one there."""


def coco_by(package: str) -> Reader:
    """By the `COCO` of pycocotools or of its successor."""

    def read(folder: Path) -> Images:
        for split in SPLITS:
            coco = importlib.import_module(package).COCO(
                str(folder / "annotations" / f"instances_{split}.json")
            )
            names = {
                category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())
            }
            for image in coco.loadImgs(coco.getImgIds()):
                annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
                yield (
                    image["file_name"],
                    [_of_coco(annotation, coco, names) for annotation in annotations],
                )

    return read


def _of_coco(annotation: dict[str, Any], coco: Any, names: dict[int, str]) -> Read:
    x, y, width, height = annotation["bbox"]
    mask = coco.annToMask(annotation).astype(bool)
    return Read(names[annotation["category_id"]], mask, (x, y, x + width, y + height))


def coco_by_supervision(folder: Path) -> Images:
    """The images lie in the export."""
    from supervision import DetectionDataset

    for split in SPLITS:
        images = folder / "images" / split
        dataset = DetectionDataset.from_coco(
            str(images), str(folder / "annotations" / f"instances_{split}.json"), force_masks=True
        )
        yield from _of_supervision(dataset, images)


def yolo_by_supervision(folder: Path) -> Images:
    """Polygons are rounded to whole pixels; their boxes are no part of the format."""
    from supervision import DetectionDataset

    for split in SPLITS:
        images = folder / "images" / split
        for place in _folders(images):
            labels = folder / "labels" / split / place.relative_to(images)
            dataset = DetectionDataset.from_yolo(
                str(place), str(labels), str(folder / "data.yaml"), force_masks=True
            )
            yield from _of_supervision(dataset, images, boxes=False)


def yolo_cut_off(folder: Path) -> Images:
    """Polygons are cut off to whole pixels, as Ultralytics does it in training."""
    from supervision import polygon_to_mask

    about = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    for split in SPLITS:
        images = folder / about[split]
        for path in _files(images):
            name = path.relative_to(images)
            with Image.open(path) as image:
                size = image.size
            labels = folder / "labels" / split / name.with_suffix(".txt")
            objects = []
            for line in labels.read_text(encoding="ascii").splitlines():
                number, *shares = line.split()
                points = np.array(shares, dtype=np.float64).reshape(-1, 2) * size
                mask = polygon_to_mask(points.astype(np.int32), size).astype(bool)
                objects.append(Read(about["names"][int(number)], mask))
            yield str(name), objects


def voc_by_supervision(folder: Path) -> Images:
    """The XML files, with their polygons and boxes."""
    from supervision import DetectionDataset

    images = folder / "JPEGImages"
    for place in _folders(images):
        annotations = folder / "Annotations" / place.relative_to(images)
        dataset = DetectionDataset.from_pascal_voc(str(place), str(annotations), force_masks=True)
        yield from _of_supervision(dataset, images)


def voc_maps(folder: Path) -> Images:
    """The label maps: which pixels are an object's, and its class in the other map."""
    from defusedxml import ElementTree

    listed = [
        name
        for split in SPLITS
        for name in (folder / "ImageSets/Segmentation" / f"{split}.txt").read_text().splitlines()
    ]
    for name in listed:
        root = ElementTree.parse(folder / "Annotations" / f"{name}.xml").getroot()
        labels = [str(element.findtext("name")) for element in root.findall("object")]
        values = _values(folder / "SegmentationObject" / f"{name}.png")
        yield f"{name}.jpg", [Read(label, values == at) for at, label in enumerate(labels, start=1)]


LABELME: dict[str, Any] = {
    "version": str, "flags": dict, "shapes": list, "imagePath": str, "imageData": type(None),
    "imageHeight": int, "imageWidth": int,
}  # fmt: skip
"""Fields that LabelMe takes from a file, and their types."""
SHAPE: dict[str, Any] = {
    "label": str, "points": list, "group_id": (int, type(None)), "description": str,
    "shape_type": str, "flags": dict, "mask": type(None),
}  # fmt: skip


def labelme_by_schema(folder: Path) -> Images:
    """The schema of LabelMe is checked, and polygons are drawn as LabelMe draws them."""
    for path in _files(folder, ".json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        _check(content, LABELME, path)
        objects: dict[str, tuple[str, Mask]] = {}
        size = content["imageWidth"], content["imageHeight"]
        for shape in content["shapes"]:
            _check(shape, SHAPE, path)
            image = Image.new("1", size)
            points = [(x, y) for x, y in shape["points"]]
            ImageDraw.Draw(image).polygon(points, outline=1, fill=1)
            # The pieces of one object have one description.
            label, before = objects.get(shape["description"], (shape["label"], np.False_))
            objects[shape["description"]] = label, np.asarray(image) | before
        name = path.relative_to(folder / path.relative_to(folder).parts[0])
        yield str(name), [Read(label, mask) for label, mask in objects.values()]


def labelme_by_supervision(folder: Path) -> Images:
    """One split after the other."""
    from supervision import DetectionDataset

    for split in SPLITS:
        for place in _folders(folder / split):
            dataset = DetectionDataset.from_labelme(str(place), str(place))
            yield from _of_supervision(dataset, folder / split, boxes=False)


def table_by(package: str, name: str) -> Reader:
    """`objects.csv` or `objects.parquet`, by pandas or pyarrow; masks by pycocotools."""
    readers = {
        ("pandas", "objects.csv"): lambda path: _pandas().read_csv(path).to_dict("records"),
        ("pandas", "objects.parquet"): lambda path: _pandas().read_parquet(path).to_dict("records"),
        ("pyarrow", "objects.csv"): lambda path: _arrow("csv").read_csv(path).to_pylist(),
        ("pyarrow", "objects.parquet"): lambda path: _arrow("parquet").read_table(path).to_pylist(),
    }

    def read(folder: Path) -> Images:
        from pycocotools.mask import decode

        images: dict[str, list[Read]] = {}
        for row in readers[package, name](folder / name):
            objects = images.setdefault(row["image"], [])
            if not isinstance(row["mask_counts"], str) or not row["mask_counts"]:
                continue  # An image without an object.
            size = [int(row["mask_height"]), int(row["mask_width"])]
            mask = decode({"size": size, "counts": row["mask_counts"].encode()}).astype(bool)
            x1, y1, x2, y2 = (float(row[side]) for side in ("x1", "y1", "x2", "y2"))
            objects.append(Read(row["label"], mask, (x1, y1, x2, y2)))
        yield from images.items()

    return read


def maps_by_pillow(folder: Path) -> Images:
    """The label maps, and `labels.csv` for what is in them."""
    labels: dict[str, list[str]] = {}
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            labels.setdefault(row["file"], []).extend([row["label"]] if row["id"] else [])
    for path in _files(folder / "masks"):
        values, name = _values(path), str(path.relative_to(folder / "masks"))
        numbered = enumerate(labels[name], start=1)
        yield name, [Read(label, values == at) for at, label in numbered]


CONSUMERS: dict[str, tuple[Consumer, ...]] = {
    "coco": (
        Consumer("pycocotools", coco_by("pycocotools.coco")),
        Consumer("faster-coco-eval", coco_by("faster_coco_eval")),
        Consumer("supervision", coco_by_supervision),
    ),
    "coco-polygons": (
        Consumer("pycocotools", coco_by("pycocotools.coco")),
        Consumer("faster-coco-eval", coco_by("faster_coco_eval")),
    ),
    "yolo": (
        Consumer("supervision", yolo_by_supervision),
        Consumer("cut off, as Ultralytics does", yolo_cut_off),
    ),
    "voc": (
        Consumer("supervision", voc_by_supervision),
        Consumer("Pillow, label maps", voc_maps, visible=True),
    ),
    "labelme": (
        Consumer("LabelMe's schema, Pillow", labelme_by_schema),
        Consumer("supervision", labelme_by_supervision),
    ),
    "csv": (
        Consumer("pandas", table_by("pandas", "objects.csv")),
        Consumer("pyarrow", table_by("pyarrow", "objects.csv")),
    ),
    "parquet": (
        Consumer("pandas", table_by("pandas", "objects.parquet")),
        Consumer("pyarrow", table_by("pyarrow", "objects.parquet")),
    ),
    "masks": (Consumer("Pillow", maps_by_pillow, visible=True),),
}
"""By format; the exports have the splits `SPLITS`, and categories for classes."""


def _of_supervision(dataset: Any, images: Path, *, boxes: bool = True) -> Images:
    for path, detections in dataset.annotations.items():
        yield (
            str(Path(path).relative_to(images)),
            [
                Read(
                    dataset.classes[detections.class_id[at]],
                    np.asarray(detections.mask[at], dtype=bool),
                    tuple(detections.xyxy[at].tolist()) if boxes else None,
                )
                for at in range(len(detections))
            ],
        )


def _files(folder: Path, suffix: str = "") -> list[Path]:
    """All files below a folder, or those with a suffix."""
    return sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file())


def _folders(folder: Path) -> list[Path]:
    """The folders with files in them, which supervision reads one by one."""
    return sorted({path.parent for path in _files(folder)})


def _check(content: dict[str, Any], schema: dict[str, Any], path: Path) -> None:
    assert content.keys() == schema.keys(), path
    assert all(isinstance(content[key], kind) for key, kind in schema.items()), path


def _values(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def _pandas() -> Any:
    return importlib.import_module("pandas")


def _arrow(part: str) -> Any:
    return importlib.import_module(f"pyarrow.{part}")

"""Small data sets of drawn scenes, each a thing or two on a textured ground, as official ones are.

Every second scene has two things: a bright disc of class `dog` and a blue box of class `cat`.
"""

import json
from pathlib import Path

import numpy as np
from miniatures import voc_xml
from PIL import Image
from scipy.ndimage import gaussian_filter

SIZES = ((48, 32), (32, 48), (40, 40))
CAT, DOG = 8, 12
"""As VOC counts its classes."""


def draw_scene(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels, and the class of each; the same for each number."""
    draw = np.random.default_rng(number)
    width, height = SIZES[number % len(SIZES)]
    grain = gaussian_filter(draw.normal(size=(height, width, 1)), (2, 2, 0))
    pixels = np.array([70, 110, 80]) + 120 * grain + draw.normal(0, 4, (height, width, 3))
    classes = np.zeros((height, width), dtype=np.uint8)
    rows, cols = np.mgrid[:height, :width]
    across = np.hypot(rows - draw.uniform(0.4, 0.6) * height, cols - 0.35 * width)
    classes[across < draw.uniform(0.2, 0.3) * min(width, height)] = DOG
    if number % 2:
        classes[height // 4 : height // 2, -width // 4 : -width // 8] = CAT
    pixels[classes == DOG] = (250, 240, 40 * (number % 5))
    pixels[classes == CAT] = (40, 40, 250)
    return pixels.clip(0, 255).astype(np.uint8), classes


def folder_set(root: Path, count: int = 6) -> Path:
    """For `folder:`, with a mask of everything that is a thing."""
    for number in range(count):
        pixels, classes = draw_scene(number)
        _save(pixels, root / "images" / f"{number:02d}.png")
        _save(255 * (classes > 0).astype(np.uint8), root / "masks" / f"{number:02d}.png")
    return root


def voc_set(root: Path, train: int = 6, val: int = 6) -> Path:
    """For `voc2012-seg:`."""
    year = root / "VOCdevkit" / "VOC2012"
    lists = year / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (year / "Annotations").mkdir()
    for split, numbers in {"train": range(train), "val": range(train, train + val)}.items():
        (lists / f"{split}.txt").write_text("".join(f"{number:04d}\n" for number in numbers))
        for number in numbers:
            pixels, classes = draw_scene(number)
            name, (height, width) = f"{number:04d}", classes.shape
            _save(pixels, year / "JPEGImages" / f"{name}.jpg")
            _save(classes, year / "SegmentationClass" / f"{name}.png")
            boxes = [(x1 + 1, y1 + 1, x2, y2) for x1, y1, x2, y2 in _boxes(classes)]
            text = voc_xml(name, boxes, size=(width, height))
            (year / "Annotations" / f"{name}.xml").write_text(text)
    return root


def coco_set(root: Path, count: int = 6) -> Path:
    """For `coco:`; each thing is the polygon of its box."""
    whole: dict[str, list[dict[str, object]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": CAT, "name": "cat"}, {"id": DOG, "name": "dog"}],
    }
    for number in range(count):
        pixels, classes = draw_scene(number)
        _save(pixels, root / "images" / f"{number}.png")
        height, width = classes.shape
        about = {"file_name": f"{number}.png", "width": width, "height": height}
        whole["images"].append({"id": number, **about})
        there = np.unique(classes[classes > 0]).tolist()
        for category, (x1, y1, x2, y2) in zip(there, _boxes(classes), strict=True):
            box, corners = [x1, y1, x2 - x1, y2 - y1], [x1, y1, x2, y1, x2, y2, x1, y2]
            where = {"bbox": box, "area": box[2] * box[3], "segmentation": [corners]}
            number_of = {
                "id": len(whole["annotations"]),
                "image_id": number,
                "category_id": category,
            }
            whole["annotations"].append({**number_of, **where, "iscrowd": 0})
    (root / "instances.json").write_text(json.dumps(whole))
    return root


def _boxes(classes: np.ndarray) -> list[tuple[int, int, int, int]]:
    found = []
    for number in np.unique(classes[classes > 0]):
        rows, cols = np.nonzero(classes == number)
        corners = cols.min(), rows.min(), cols.max() + 1, rows.max() + 1
        found.append((int(corners[0]), int(corners[1]), int(corners[2]), int(corners[3])))
    return found


def _save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)

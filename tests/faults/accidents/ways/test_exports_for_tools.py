"""Way in 5: exports that other tools take."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from supervision import DetectionDataset

from .conftest import Command

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def export(run_heap: Command, run: Path, *line: object) -> Path:
    out = run.parent / "out"
    done = run_heap("export", run, "--out", out, "--categories", "--format", *line)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.way(5, "An export exchanged a folder that was there, which a mount point cannot be")
def test_folder_that_is_there(run: Path, run_heap: Command) -> None:
    (run.parent / "out").mkdir()
    before = (run.parent / "out").stat().st_ino
    for format in ("csv", "coco"):
        assert export(run_heap, run, format).stat().st_ino == before


@pytest.mark.way(5, "COCO was not laid out as Datumaro and others look for it")
def test_layout_of_coco(run: Path, run_heap: Command) -> None:
    out = export(run_heap, run, "coco", "--images", "copy")
    file = out / "annotations" / "instances_default.json"
    names = {image["file_name"] for image in json.loads(file.read_text())["images"]}
    assert {path.name for path in (out / "images" / "default").iterdir()} == names


@pytest.mark.way(5, "There was no COCO with polygons, which Label Studio needs")
def test_polygons_of_coco(run: Path, run_heap: Command) -> None:
    exact = {
        (image["file_name"], tuple(annotation["bbox"])): annotation["segmentation"]
        for image, annotation in annotations(run / "objects.json")
    }
    out = export(run_heap, run, "coco-polygons")
    drawn = list(annotations(out / "annotations" / "instances_default.json"))
    assert len(drawn) == len(exact) > 0
    for image, annotation in drawn:
        size = image["height"], image["width"]
        rings = coco_mask.frPyObjects(annotation["segmentation"], *size)
        mask = coco_mask.decode(coco_mask.merge(rings)).astype(bool)
        counts = exact[image["file_name"], tuple(annotation["bbox"])]["counts"]
        truth = coco_mask.decode({"size": size, "counts": counts.encode()}).astype(bool)
        assert (mask & truth).sum() >= 0.99 * (mask | truth).sum()


def annotations(file: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    whole = json.loads(file.read_text())
    images = {image["id"]: image for image in whole["images"]}
    return [(images[line["image_id"]], line) for line in whole["annotations"]]


@pytest.mark.way(5, "There was no YOLO of boxes")
def test_boxes_of_yolo(run: Path, run_heap: Command) -> None:
    out = export(run_heap, run, "yolo-detect")
    images, labels = out / "images" / "train", out / "labels" / "train"
    data = DetectionDataset.from_yolo(str(images), str(labels), str(out / "data.yaml"))
    drawn = [box for boxes in data.annotations.values() for box in boxes.xyxy.tolist()]
    exact = [
        [x, y, x + width, y + height]
        for _, line in annotations(run / "objects.json")
        for x, y, width, height in [line["bbox"]]
    ]
    by_pixels = partial(sorted, key=lambda box: [round(edge) for edge in box])
    np.testing.assert_allclose(by_pixels(drawn), by_pixels(exact), atol=0.02)

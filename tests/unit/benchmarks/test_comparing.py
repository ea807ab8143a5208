"""An export that is whole passes the comparison with the store, a damaged one does not."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.comparing import judge, read_store, recut, reread
from benchmarks.rereading import CONSUMERS
from benchmarks.studies.collection import summarise
from runs import blobs, make_run, ring, sort_into

from heap.export.command import Choices, export
from heap.export.formats import FormatName
from heap.export.splits import Splits

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIZE = (240, 320)
FIRST, SECOND = ring(SIZE, (120, 90), 70, 30), ring(SIZE, (120, 240), 60, 0)
OF = {
    "one.jpg": [FIRST, SECOND],
    "deep/two.jpg": [blobs(SIZE, 1, 0.3)],
    "none.jpg": [],
    "four.jpg": [SECOND],
}
MEMBERS = {"one.jpg#0": 1, "one.jpg#1": 2, "deep/two.jpg#0": 1}
CHOICES = Choices(categories=True, splits=Splits.parse("train=0.5,val=0.5", seed=4), images="copy")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = make_run(tmp_path_factory.mktemp("made"), OF, SIZE)
    sort_into(found, {1: "wheel", 2: ""}, MEMBERS)
    return found


def judged(run: Path, format: str, folder: Path) -> list[dict[str, Any]]:
    held = read_store(run)
    rows = [reread(held, format, consumer, folder) for consumer in CONSUMERS[format]]
    return [judge(row, held.counts()) for row in rows]


def test_the_store_is_counted_by_hand(run: Path) -> None:
    found = read_store(run).counts()
    # The object of four.jpg was never sorted, so it is of the class `other`.
    assert found == {"images": 4, "with_objects": 3, "objects": 4, "classes": 3}


@pytest.mark.parametrize("format", CONSUMERS)
def test_every_reader_gets_a_whole_export_back(
    run: Path, tmp_path: Path, format: FormatName
) -> None:
    folder = export(run, format, tmp_path / "out", CHOICES).folder
    for found in judged(run, format, folder):
        assert found["passed"]
        assert found["iou_least"] >= 0.98
        assert found["box_off"] in (None, 0)


def test_an_export_without_an_object_is_not_whole(run: Path, tmp_path: Path) -> None:
    folder = export(run, "yolo", tmp_path / "out", CHOICES).folder
    path = max((folder / "labels").rglob("*.txt"), key=lambda each: each.stat().st_size)
    path.write_text("")
    for found in judged(run, "yolo", folder):
        assert not found["whole"]
        assert not found["passed"]


def test_other_masks_boxes_and_classes_are_found(run: Path, tmp_path: Path) -> None:
    folder = export(run, "coco", tmp_path / "out", CHOICES).folder
    for split in ("train", "val"):
        path = folder / "annotations" / f"instances_{split}.json"
        content = json.loads(path.read_text())
        for each in content["annotations"]:
            height, width = each["segmentation"]["size"]
            each["segmentation"] = [[0, 0, width, 0, width, height, 0, height]]
            each["bbox"][0] += 2
            each["category_id"] = 1
        path.write_text(json.dumps(content))
    held = read_store(run)
    row = reread(held, "coco", CONSUMERS["coco"][0], folder)
    assert row["boxes_off"] == {"2.00": 4}
    assert row["labels"] == 2
    least = min(row["below"], key=lambda each: each[1])
    expected = SECOND.sum() / SECOND.size
    assert least[1:] == [pytest.approx(expected, abs=1e-4), int(SECOND.sum())]
    assert judge(row, held.counts())["below"] == 4


def test_crops_are_the_masks_in_their_boxes(run: Path, tmp_path: Path) -> None:
    choices = Choices(categories=True, splits=CHOICES.splits, crops=True)
    folder = export(run, "csv", tmp_path / "out", choices).folder
    held = read_store(run)
    assert judge(recut(held, folder / "crops"), held.counts())["passed"]
    wheel = next((folder / "crops").rglob("wheel"))
    shutil.copytree(wheel, wheel.with_name("other"), dirs_exist_ok=True)
    shutil.rmtree(wheel)
    assert not judge(recut(held, folder / "crops"), held.counts())["passed"]


def test_what_is_covered_in_a_label_map_is_not_missed(tmp_path: Path) -> None:
    both = np.zeros(SIZE, dtype=bool)
    both[60:180, 60:200] = True
    run = make_run(tmp_path, {"a.jpg": [FIRST, both]}, SIZE)
    sort_into(run, {1: "one"}, {})
    folder = export(run, "masks", tmp_path / "out", Choices(categories=True)).folder
    (found,) = judged(run, "masks", folder)
    assert found["iou_least"] == 1


def test_a_summary_passes_only_with_all_of_its_readers() -> None:
    held = {"images": 2, "with_objects": 1, "objects": 1, "classes": 1}
    good = {
        "step": "read csv", "reader": "pandas", "images_without_objects": False, "images": 1,
        "objects": 1, "classes": 1, "labels": 1, "ious": {"1.0000": 1}, "boxes_off": {"0.00": 1},
        "below": [],
    }  # fmt: skip
    took = {"step": "discover", "seconds": 2.0, "cpu_seconds": 1.0, "peak_mb": 9.0, "found": {}}
    rows: list[dict[str, Any]] = [
        {"encoder": "a"} | row for row in ({"step": "store", "found": held}, took, good)
    ]
    assert summarise(rows)["a"]["passed"]
    rows.append(rows[-1] | {"reader": "other", "boxes_off": {"0.60": 1}})
    assert not summarise(rows)["a"]["passed"]
    assert summarise(rows)["a"]["readers"]["read csv, pandas"]["passed"]

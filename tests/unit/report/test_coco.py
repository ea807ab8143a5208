import json
from pathlib import Path

import pytest

from heap.export.coco import write_coco
from heap.images.failures import Failure, write_failures
from heap.store.records import Finished

from .conftest import Make


def test_images_and_objects_are_numbered_in_order(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "objects.json"
    results = [make("a/ü.jpg"), make("b.jpg", objects=0), make("c.jpg", objects=1)]
    write_coco([Finished(result) for result in results], path)
    found = json.loads(path.read_bytes())
    assert found["categories"] == [{"id": 1, "name": "object", "supercategory": ""}]
    assert found["images"] == [
        {"id": 1, "file_name": "a/ü.jpg", "width": 80, "height": 60},
        {"id": 2, "file_name": "b.jpg", "width": 80, "height": 60},
        {"id": 3, "file_name": "c.jpg", "width": 80, "height": 60},
    ]
    places = [(item["id"], item["image_id"]) for item in found["annotations"]]
    assert places == [(1, 1), (2, 1), (3, 3)]
    ring = found["annotations"][0]
    assert ring["bbox"] == [5, 13, 35, 35]  # every pixel closer than 18 to column 22, row 30
    assert ring["iscrowd"] == 0
    assert ring["score"] == pytest.approx(0.9)
    assert found["info"]["version"]


def test_the_same_results_give_the_same_bytes(tmp_path: Path, make: Make) -> None:
    written = []
    for name in ("one", "other"):
        write_coco((Finished(make(key)) for key in ("a", "b")), tmp_path / name)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]


def test_a_run_without_images_gives_a_valid_file(tmp_path: Path) -> None:
    write_coco(iter(list[Finished]()), tmp_path / "objects.json")
    found = json.loads((tmp_path / "objects.json").read_bytes())
    assert (found["images"], found["annotations"]) == ([], [])


def test_an_image_with_a_note_has_it(tmp_path: Path, make: Make) -> None:
    records = [Finished(make("a"), note="first of 3 frames"), Finished(make("b"))]
    write_coco(records, tmp_path / "objects.json")
    images = json.loads((tmp_path / "objects.json").read_bytes())["images"]
    assert [image.get("note") for image in images] == ["first of 3 frames", None]


def test_failures_are_one_json_object_per_line(tmp_path: Path) -> None:
    path = tmp_path / "failed.jsonl"
    hostile = '=cmd()|",\n{"path": "x"}'
    write_failures([Failure(hostile, "decode", "torn"), Failure("b", "read", "gone \udcff")], path)
    assert list(map(json.loads, path.read_text("ascii").splitlines())) == [
        {"path": hostile, "stage": "decode", "reason": "torn"},
        {"path": "b", "stage": "read", "reason": "gone \udcff"},
    ]

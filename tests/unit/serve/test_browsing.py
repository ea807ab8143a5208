from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import heap
from heap.categories.listing import count_apart

from .conftest import USED


def get(client: TestClient, path: str, **values: Any) -> Any:
    answer = client.get(f"/api/{path}", params=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_run_is_counted_as_the_store_counts_it(reader: TestClient, found_run: Path) -> None:
    told, store = get(reader, "run"), heap.open(found_run).store
    counts = store.counts()
    assert told["images"] == counts.done + counts.empty == len(USED)
    assert (told["empty"], told["failed"], told["objects"]) == (counts.empty, 1, counts.objects)
    assert (told["apart"], told["unsorted"], told["rejected"]) == (count_apart(store), 0, 0)
    assert (told["name"], told["encoder"]) == ("run", "embedded-small")
    assert told["read_only"]
    assert told["searchable"]


def test_categories_are_those_of_the_collection(reader: TestClient, found_run: Path) -> None:
    told = get(reader, "categories")
    for each, wanted in zip(told, heap.open(found_run).categories, strict=True):
        assert (each["id"], each["title"], each["size"]) == (wanted.id, wanted.title, wanted.size)
        assert each["typical"] == list(wanted.typical)
        assert each["coherence"] == pytest.approx(wanted.coherence)


@pytest.mark.parametrize("order", ["similarity", "-similarity", "score", "-score"])
def test_members_of_a_category_come_in_order(
    reader: TestClient, found_run: Path, order: str
) -> None:
    table = heap.open(found_run).objects.to_pandas("category = 1 AND NOT rejected")
    page = get(reader, "objects", category=1, order=order)
    assert {each["id"] for each in page["objects"]} == set(table["id"])
    assert page["total"] == len(table)
    values = [each[order.removeprefix("-")] for each in page["objects"]]
    assert values == sorted(values, reverse=not order.startswith("-"))


def test_pages_of_a_list_make_up_the_list(reader: TestClient) -> None:
    whole = get(reader, "objects", order="name")["objects"]
    parts = [get(reader, "objects", order="name", offset=at, limit=3)["objects"]
             for at in range(0, len(whole), 3)]  # fmt: skip
    assert [each for part in parts for each in part] == whole
    assert [each["id"] for each in whole] == sorted(each["id"] for each in whole)
    assert get(reader, "objects", order="name", offset=999) == {"total": len(whole), "objects": []}


def test_objects_can_be_kept_to_those_that_score_well(reader: TestClient) -> None:
    scores = [each["score"] for each in get(reader, "objects")["objects"]]
    middle = float(np.median(scores))
    page = get(reader, "objects", min_score=middle)
    assert page["total"] == sum(score >= middle for score in scores)


def test_images_are_listed_by_kind_and_name(reader: TestClient, found_run: Path) -> None:
    page = get(reader, "images")
    assert [each["key"] for each in page["images"]] == [f"{name}.jpg" for name in USED]
    by_key = {each["key"]: each for each in page["images"]}
    for result in heap.open(found_run).results():
        told = by_key[result.key]
        assert (told["width"], told["height"]) == (result.width, result.height)
        assert told["objects"] == len(result.objects)
        assert told["best"] == pytest.approx(max(result.objects.scores, default=0))
    empty = get(reader, "images", kind="none")["images"]
    assert [each["key"] for each in empty] == ["bricks.jpg"]
    kinds = [each["kind"] for each in page["images"]]
    for kind in ("sure", "low", "none"):
        assert get(reader, "images", kind=kind)["total"] == kinds.count(kind)
    assert [each["key"] for each in get(reader, "images", words="C .jpg")["images"]] == [
        "bricks.jpg", "cat.jpg", "chickens.jpg", "coffee.jpg",
    ]  # fmt: skip
    best = [each["best"] for each in get(reader, "images", order="score")["images"]]
    assert best == sorted(best, reverse=True)


def test_an_image_comes_with_outlines_of_all_its_objects(
    reader: TestClient, found_run: Path
) -> None:
    told = get(reader, "image", key="chickens.jpg")
    (result,) = (each for each in heap.open(found_run).results() if each.key == "chickens.jpg")
    assert told["canvas"] == [960, 640]
    boxes = [shape["object"]["box"] for shape in told["shapes"]]
    assert boxes == result.objects.boxes.tolist()
    for shape, mask in zip(told["shapes"], result.objects.masks, strict=True):
        assert shape["path"].startswith("M") == bool(mask.decode().any())


def test_images_that_failed_are_told_with_the_reason(reader: TestClient) -> None:
    ((told),) = get(reader, "failures")
    assert (told["key"], told["stage"]) == ("torn.jpg", "decode")
    assert told["reason"]


@pytest.mark.parametrize("path", ["image", "nearest/box"])
@pytest.mark.parametrize("key", ["nothing.jpg", "torn.jpg", ""])
def test_what_is_not_there_is_not_found(reader: TestClient, path: str, key: str) -> None:
    answer = reader.get(f"/api/{path}", params={"key": key, "box": "0,0,9,9"})
    assert answer.status_code == 404
    assert "no image" in answer.json()["detail"]


def test_the_interface_is_described(reader: TestClient) -> None:
    described = reader.get("/openapi.json").json()
    ours = {path for path in described["paths"] if path.startswith(("/api/", "/pictures/"))}
    assert len(ours) > 15
    for methods in described["paths"].values():
        for each in methods.values():
            assert each["description"]
    page = reader.get("/docs").text
    assert "swagger" in page
    assert "://" not in page.replace("http://127.0.0.1", "")

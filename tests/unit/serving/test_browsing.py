from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import heap

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
    assert told["rejected"] == 0
    assert (told["name"], told["encoder"]) == ("run", "embedded-small")
    assert told["read_only"]
    assert told["searchable"]


def test_categories_are_those_of_the_collection(reader: TestClient, found_run: Path) -> None:
    told = get(reader, "categories")
    assert told
    for each, wanted in zip(told, heap.open(found_run).categories, strict=True):
        assert (each["id"], each["title"], each["size"]) == (wanted.id, wanted.title, wanted.size)
        assert each["typical"] == list(wanted.typical)
        assert each["coherence"] == pytest.approx(wanted.coherence)


def test_a_preview_is_that_of_the_collection(reader: TestClient, found_run: Path) -> None:
    told, wanted = (
        get(reader, "categories/preview", count=3),
        heap.open(found_run).preview_categories(3),
    )
    assert [each["id"] for each in told["categories"]] == [each.id for each in wanted.categories]
    assert [each["size"] for each in told["categories"]] == [c.size for c in wanted.categories]
    assert (told["apart"], told["moved"], told["lost"]) == (wanted.apart, wanted.moved, [])
    assert len(get(reader, "categories/preview")["categories"]) >= 2
    refused = reader.get("/api/categories/preview", params={"count": 999})
    assert (refused.status_code, "cannot make 999" in refused.json()["detail"]) == (400, True)


def test_contents_are_those_of_the_store(reader: TestClient, found_run: Path) -> None:
    told, run = get(reader, "contents"), heap.open(found_run)
    results = list(run.results())
    assert told["run"] == get(reader, "run")
    assert told["images"]["key"] == [result.key for result in results] == [f"{n}.jpg" for n in USED]
    assert told["images"]["width"] == [result.width for result in results]
    objects = told["objects"]
    counts = np.bincount(objects["image"], minlength=len(results)).tolist()
    assert counts == [len(result.objects) for result in results]
    assert objects["image"] == sorted(objects["image"])
    boxes = np.concatenate([result.objects.boxes for result in results])
    assert np.allclose(objects["box"], boxes, atol=0.005)
    scores = np.concatenate([result.objects.scores for result in results])
    assert np.allclose(objects["score"], scores, atol=1e-6)
    table = run.objects.to_pandas().sort_values(["key", "index"])
    assert objects["category"] == table["category"].tolist()
    assert np.allclose(objects["similarity"], table["similarity"], atol=1e-6)
    (failure,) = told["failures"]
    assert (failure["key"], failure["stage"]) == ("torn.jpg", "decode")
    assert failure["reason"]


def test_what_was_rejected_is_marked(client: TestClient, run: Path) -> None:
    keys = get(client, "contents")["images"]["key"]
    for path, ids in (("objects/rejected", ["cat.jpg#0"]), ("categories/rejected", [1])):
        body = {"ids": ids, "rejected": True}
        assert client.post(f"/api/{path}", json=body).status_code == 200
    told = get(client, "contents")
    (row,) = told["objects"]["rejected"]
    assert keys[told["objects"]["image"][row]] == "cat.jpg"
    assert [category["rejected"] for category in told["categories"]] == [True, False]
    table = heap.open(run).objects.to_pandas()
    out = (table["category"] == 1) | (table["id"] == "cat.jpg#0")
    assert (told["run"]["objects"], told["run"]["rejected"]) == ((~out).sum(), out.sum())
    empty = len(keys) - table[~out]["key"].nunique()
    assert told["run"]["empty"] == empty


def test_an_image_comes_with_outlines_of_all_its_objects(
    reader: TestClient, found_run: Path
) -> None:
    told = get(reader, "outlines", key="chickens.jpg")
    (result,) = (each for each in heap.open(found_run).results() if each.key == "chickens.jpg")
    assert told["canvas"] == [960, 640]
    for path, mask in zip(told["paths"], result.objects.masks, strict=True):
        assert path.startswith("M") == bool(mask.decode().any())


@pytest.mark.parametrize("path", ["outlines", "nearest/box"])
@pytest.mark.parametrize("key", ["nothing.jpg", "torn.jpg", ""])
def test_what_is_not_there_is_not_found(reader: TestClient, path: str, key: str) -> None:
    answer = reader.get(f"/api/{path}", params={"key": key, "box": "0,0,9,9"})
    assert answer.status_code == 404
    assert "no image" in answer.json()["detail"]


def test_the_interface_is_described(reader: TestClient) -> None:
    described = reader.get("/openapi.json").json()
    ours = {path for path in described["paths"] if path.startswith(("/api/", "/pictures/"))}
    assert len(ours) > 10
    for methods in described["paths"].values():
        for each in methods.values():
            assert each["description"]
    page = reader.get("/docs").text
    assert "swagger" in page
    assert "://" not in page.replace("http://127.0.0.1", "")

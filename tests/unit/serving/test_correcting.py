import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import heap
from heap.serving.app import make_app
from heap.store.editing import Editor
from heap.store.store import RunStore

from .conftest import BASE

CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("categories/sort", {}),
    ("categories/merge", {"ids": [1, 2]}),
    ("categories/1/name", {"name": "pets"}),
    ("categories/rejected", {"ids": [1], "rejected": True}),
    ("objects/rejected", {"ids": ["cat.jpg#0"], "rejected": True}),
    ("objects/category", {"ids": ["cat.jpg#0"], "category": 1}),
    ("objects/reviewed", {"ids": ["cat.jpg#0"]}),
    ("objects/masks", {"key": "cat.jpg", "added": [{"size": [2, 2], "counts": [0, 4]}]}),
    ("export", {"format": "csv"}),
]


def post(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["categories"]


def test_a_name_is_in_the_store_at_once(client: TestClient, run: Path) -> None:
    name = '<img src=x onerror="alert(1)">'
    told = post(client, "categories/1/name", name=f" {name} ")
    assert told[0]["name"] == heap.open(run).categories[0].name == name
    assert post(client, "categories/1/name", name="")[0]["title"] == "category-1"


def test_categories_are_merged(client: TestClient, run: Path) -> None:
    sizes = {each.id: each.size for each in heap.open(run).categories}
    (only,) = post(client, "categories/merge", ids=[2, 1])
    assert (only["id"], only["size"]) == (2, sum(sizes.values()))
    assert [each.id for each in heap.open(run).categories] == [2]


def test_objects_are_moved_to_another_category(client: TestClient, run: Path) -> None:
    before = {each.id: each.size for each in heap.open(run).categories}
    member = next(iter(heap.open(run).categories[0].typical))
    post(client, "objects/category", ids=[member], category=2)
    after = heap.open(run).categories
    assert {each.id: each.size for each in after} == {1: before[1] - 1, 2: before[2] + 1}
    row = heap.open(run).objects.to_pandas(f"id = '{member}'").iloc[0]
    vector = row["vector"] / np.linalg.norm(row["vector"])
    assert row["similarity"] == pytest.approx(float(vector @ after[1].prototype), abs=1e-5)
    post(client, "objects/category", ids=[member], category=0)
    assert heap.open(run).objects.to_pandas(f"id = '{member}'")["category"].item() == 0


def test_a_category_is_made_of_objects(client: TestClient, run: Path) -> None:
    table = heap.open(run).objects.to_pandas("key = 'chickens.jpg'")
    told = post(client, "objects/category", ids=list(table["id"]), name="birds")
    assert [(each["id"], each["title"]) for each in told[2:]] == [(3, "birds")]
    assert told[2]["size"] == len(table)
    vectors = np.stack(table["vector"])
    mean = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(axis=0)
    assert np.allclose(
        heap.open(run).categories[2].prototype, mean / np.linalg.norm(mean), atol=1e-5
    )
    # Numbers are never used again, and an unnamed one may follow.
    post(client, "categories/merge", ids=[1, 3])
    assert post(client, "objects/category", ids=["cat.jpg#0"])[-1]["id"] == 4


def test_what_was_rejected_is_left_out_and_comes_back(client: TestClient, run: Path) -> None:
    def rejected() -> set[str]:
        told = client.get("/api/contents").json()
        image_of = told["objects"]["image"]
        return {
            f"{told['images']['key'][image_of[at]]}#{at - image_of.index(image_of[at])}"
            for at in told["objects"]["rejected"]
        }

    told = client.get("/api/run").json()
    ids = heap.open(run).objects.to_arrow()["id"].to_pylist()
    theirs = [each for each in ids if each.startswith(("cat.jpg#", "dog.jpg#"))]
    post(client, "objects/rejected", ids=theirs, rejected=True)
    assert rejected() == set(theirs)
    now, gone = client.get("/api/run").json(), len(theirs)
    assert (now["objects"], now["rejected"]) == (told["objects"] - gone, gone)
    assert now["empty"] == told["empty"] + 2
    assert now["version"] != told["version"]
    post(client, "objects/rejected", ids=theirs, rejected=False)
    assert not rejected()
    assert post(client, "categories/rejected", ids=[2], rejected=True)[1]["rejected"]
    assert heap.open(run).categories[1].rejected


def test_categories_are_made_and_made_again(client: TestClient, run: Path) -> None:
    post(client, "categories/1/name", name="pets")
    told = post(client, "categories/sort", count=3, again=True)
    assert len(told) == 3
    assert [each["name"] for each in told].count("pets") == 1
    answer = client.post("/api/categories/sort", json={"count": 3})
    assert answer.status_code == 400
    assert "--again" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("categories/9/name", {"name": "x"}),
     ("categories/rejected", {"ids": [1, 9], "rejected": True}),
     ("categories/merge", {"ids": [1]}), ("categories/merge", {"ids": []}),
     ("categories/merge", {"ids": [1, 9]}),
     ("objects/rejected", {"ids": ["no#0"], "rejected": True}),
     ("objects/category", {"ids": ["no#0"], "category": 1}),
     ("objects/category", {"ids": ["cat.jpg#0"], "category": 9}),
     ("objects/category", {"ids": []}), ("objects/category", {"ids": ["no#0"], "name": "x"}),
     ("objects/category", {"ids": ["cat.jpg#0"], "name": "background"})],
)  # fmt: skip
def test_corrections_of_what_is_not_there_change_nothing(
    client: TestClient, path: str, body: dict[str, Any]
) -> None:
    before = client.get("/api/run").json()
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert client.get("/api/run").json() == before


@pytest.mark.parametrize(("path", "body"), [*CHANGES, ("history/undo", {}), ("history/redo", {})])
def test_a_run_that_is_only_to_be_looked_at_is_not_changed(
    reader: TestClient, path: str, body: dict[str, Any]
) -> None:
    answer = reader.post(f"/api/{path}", json=body)
    assert answer.status_code == 403
    assert "--read-only" in answer.json()["detail"]


@pytest.mark.parametrize(("path", "body"), CHANGES[:-1])
def test_while_another_process_writes_changes_are_refused(
    client: TestClient, run: Path, path: str, body: dict[str, Any]
) -> None:
    with Editor(run):
        answer = client.post(f"/api/{path}", json=body)
        assert answer.status_code == 409
        assert "being written by" in answer.json()["detail"]
        assert client.get("/api/contents").status_code == 200
    assert client.post(f"/api/{path}", json=body).status_code == 200


def test_a_review_is_one_correction(client: TestClient, run: Path) -> None:
    def row() -> tuple[int, bool, bool]:
        (object,) = heap.open(run).objects.to_arrow("id = 'cat.jpg#0'").to_pylist()
        return object["category"], object["rejected"], object["reviewed"]

    def reviewed() -> list[int]:
        return list(client.get("/api/contents").json()["objects"]["reviewed"])

    first = row()
    other = 3 - first[0]
    assert (first[1:], reviewed()) == ((False, False), [])
    post(client, "objects/reviewed", ids=["cat.jpg#0"])
    assert row() == (first[0], False, True)
    assert len(reviewed()) == 1
    post(client, "objects/reviewed", ids=["cat.jpg#0"], category=other)
    assert row() == (other, False, True)
    post(client, "objects/reviewed", ids=["cat.jpg#0"], rejected=True)
    assert row() == (other, True, True)
    made = post(client, "objects/reviewed", ids=["cat.jpg#0"], name="pets")[-1]
    assert (made["name"], row()) == ("pets", (made["id"], False, True))
    assert [entry["what"] for entry in client.get("/api/history").json()] == [
        "accepted an object", f"accepted an object in category {other}", "rejected an object",
        "accepted an object in category pets",
    ]  # fmt: skip
    post(client, "history/undo", steps=4)
    assert (row(), reviewed()) == (first, [])
    both = {"ids": ["cat.jpg#0"], "rejected": True, "category": other}
    assert client.post("/api/objects/reviewed", json=both).status_code == 422
    assert client.post("/api/objects/reviewed", json={"ids": ["no#0"]}).status_code == 400


def test_corrections_are_listed_taken_back_and_made_again(client: TestClient, run: Path) -> None:
    before = heap.open(run).categories
    post(client, "categories/1/name", name="pets", who="Ann")
    post(client, "categories/merge", ids=[1, 2], who="Bob")
    listed = client.get("/api/history").json()
    assert [(entry["who"], entry["what"], entry["undone"]) for entry in listed] == [
        ("Ann", "named category 1 “pets”", False), ("Bob", "merged categories 1, 2", False)
    ]  # fmt: skip
    answer = client.post("/api/history/undo", json={"steps": 2})
    assert answer.json()["what"] == "named category 1 “pets”"
    assert [one.title for one in heap.open(run).categories] == [one.title for one in before]
    assert [entry["undone"] for entry in client.get("/api/history").json()] == [True, True]
    assert post(client, "history/redo")[0]["name"] == "pets"
    assert len(post(client, "history/redo")) == 1
    assert client.post("/api/history/redo", json={}).status_code == 400


def test_what_somebody_else_has_not_seen_is_not_taken_back(client: TestClient) -> None:
    seen = client.get("/api/run").json()["version"]
    post(client, "categories/1/name", name="pets")
    answer = client.post("/api/history/undo", json={"version": seen})
    assert answer.status_code == 409
    assert not client.get("/api/history").json()[0]["undone"]


def test_changes_at_the_same_moment_all_happen(client: TestClient, run: Path) -> None:
    ids = heap.open(run).objects.to_arrow()["id"].to_pylist()
    answers: list[int] = []

    def change(each: str) -> None:
        body = {"ids": [each], "rejected": True}
        answers.append(client.post("/api/objects/rejected", json=body).status_code)

    threads = [threading.Thread(target=change, args=(each,)) for each in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {200}
    assert RunStore.open(run).table("objects").count_rows("rejected") == len(ids)


def test_the_application_holds_no_lock_between_changes(run: Path) -> None:
    with TestClient(make_app(run), base_url=BASE) as client:
        post(client, "categories/1/name", name="pets")
        with Editor(run) as editor:
            assert editor.store.counts().objects


def test_the_gallery_follows_corrections(run: Path) -> None:
    page = run / "gallery.html"
    with TestClient(make_app(run), base_url=BASE) as client:
        assert '"pets"' not in page.read_text("utf-8")
        post(client, "categories/1/name", name="pets")
        until = time.monotonic() + 60
        while '"pets"' not in page.read_text("utf-8"):
            assert time.monotonic() < until
            time.sleep(0.1)
        post(client, "categories/1/name", name="cats")
    assert '"cats"' in page.read_text("utf-8"), "and when the application ends"

"""Several runs in one application."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import heap
from heap.base.errors import InputError, StoreError
from heap.categories.edit import reject_objects
from heap.serving.access import Access
from heap.serving.app import make_app
from heap.serving.several import find_runs
from heap.store.editing import Editor

from .conftest import BASE, USED


@pytest.fixture
def folder(found_run: Path, tmp_path: Path) -> Path:
    """A folder with two runs of the same photos, what is no run, and one that is damaged."""
    for name in ("first", "second 2"):
        shutil.copytree(found_run, tmp_path / "runs" / name)
    with Editor(tmp_path / "runs" / "second 2") as editor:
        reject_objects(editor, ["cat.jpg#0"])
    (tmp_path / "runs" / "notes").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with TestClient(make_app(folder), base_url=BASE) as client:
        yield client


def get(client: TestClient, path: str, **values: Any) -> Any:
    answer = client.get(path, params=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_runs_of_a_folder_have_cards(client: TestClient, folder: Path) -> None:
    first, second = get(client, "/api/runs")
    assert (first["name"], second["name"]) == ("first", "second 2")
    counts = heap.open(folder / "first").store.counts()
    assert (first["images"], first["objects"], first["failed"]) == (len(USED), counts.objects, 1)
    assert (first["model"], first["reason"]) == ("embedded-small", "")
    assert first["changed"].endswith("+00:00")
    assert first["thumbnails"]
    for key in first["thumbnails"]:
        shown = client.get("/runs/first/pictures/thumbnail", params={"key": key})
        assert shown.headers["content-type"] == "image/jpeg"
    assert "start.js" in client.get("/").text


def test_each_run_has_its_own_page_and_interface(client: TestClient, folder: Path) -> None:
    assert "main.js" in client.get("/runs/second%202/").text
    assert client.get("/runs/first/static/main.js").status_code == 200
    about = get(client, "/runs/first/api/run")
    assert (about["name"], about["is_one_of_several"]) == ("first", True)
    renamed = client.post("/runs/first/api/categories/1/name", json={"name": "pets"})
    assert renamed.status_code == 200
    assert heap.open(folder / "first").categories[0].name == "pets"
    assert heap.open(folder / "second 2").categories[0].name == ""
    assert client.get("/runs/third/api/run").status_code == 404
    assert client.get("/runs/..%2F..%2Fetc/api/run").status_code == 404


def test_two_runs_are_compared(client: TestClient) -> None:
    path = "/api/difference"
    while (told := get(client, path, first="first", second="second 2"))["state"] == "running":
        pass
    assert told["state"] == "done"
    assert told["only"] == [1, 0]
    assert told["photos"][0]["keys"] == ["cat.jpg", "cat.jpg"]
    assert told["photos"][0]["objects"][0][0]["iou"] is None
    assert [photo["change"] for photo in told["photos"][1:]] == [0] * (len(USED) - 1)
    assert client.get(path, params={"first": "first", "second": "nothing"}).status_code == 404


def test_a_damaged_run_says_so_and_the_others_are_served(found_run: Path, tmp_path: Path) -> None:
    for name in ("good", "bad"):
        shutil.copytree(found_run, tmp_path / name)
    shutil.rmtree(tmp_path / "bad" / "store" / "config.lance")
    app = make_app(tmp_path / "bad", tmp_path / "good")
    with TestClient(app, base_url=BASE) as client:
        bad, good = get(client, "/api/runs")
        assert bad["reason"]
        assert str(tmp_path) not in json.dumps([bad, good])
        assert good["reason"] == ""
        assert get(client, "/runs/good/api/run")["images"] == len(USED)
        assert client.get("/runs/bad/api/run").status_code == 500


def test_rules_of_access_are_those_of_a_single_run(folder: Path) -> None:
    app = make_app(folder, access=Access.at("127.0.0.1", ["heap.example"]))
    with TestClient(app, base_url=BASE, follow_redirects=False) as client:
        for path in ("/", "/api/runs", "/runs/first/", "/runs/first/api/run", "/api/difference"):
            assert client.get(path).status_code == 401, path
            foreign = client.get(path, headers={"Host": "evil.example"})
            assert foreign.status_code == 400, path
    with TestClient(make_app(folder, read_only=True), base_url=BASE) as client:
        for path in ("/", "/runs/first/"):
            assert "default-src 'none'" in client.get(path).headers["Content-Security-Policy"]
        assert "unsafe-inline" in client.get("/runs/first/docs").headers["Content-Security-Policy"]
        refused = client.post("/runs/first/api/categories/1/name", json={"name": "x"})
        assert refused.status_code == 403


def test_runs_are_named_by_their_folders(found_run: Path, folder: Path, tmp_path: Path) -> None:
    assert list(find_runs([folder, found_run])) == ["first", "second 2", "run"]
    assert find_runs([folder / "first", folder / "first"]).keys() == {"first", "first-2"}
    with pytest.raises(StoreError, match="holds no run; give a folder"):
        find_runs([folder / "notes"])
    with pytest.raises(InputError, match="models of several runs cannot be named"):
        make_app(folder, model="embedded")

import io
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

import heap
from heap.serving.app import make_app

from .conftest import BASE


def exported(client: TestClient, **body: Any) -> Any:
    assert client.post("/api/export", json=body).status_code == 202
    while (told := client.get("/api/export").json())["state"] == "running":
        time.sleep(0.02)
    return told


def test_an_export_is_written_and_can_be_taken_away(client: TestClient, run: Path) -> None:
    assert client.get("/api/export").json()["state"] == "none"
    assert client.get("/api/export/archive").status_code == 404
    told = exported(client, format="csv", categories=True, crops=True, split="train=0.5,val=0.5")
    table = heap.open(run).objects.to_pandas("category > 0")
    assert (told["state"], told["folder"]) == ("done", "run/export-csv")
    assert (told["classes"], told["unread"]) == (["category-1", "category-2"], 0)
    assert told["objects"] == told["crops"] == len(table)
    answer = client.get("/api/export/archive")
    assert 'filename="run-csv.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        with archive.open("objects.csv") as file:
            assert pd.read_csv(file)["id"].count() == len(table)
        assert sum(name.startswith("crops/") and name.endswith(".png")
                   for name in archive.namelist()) == len(table)  # fmt: skip


def test_what_was_rejected_is_not_exported(client: TestClient) -> None:
    before = exported(client, format="coco")["objects"]
    body = {"ids": ["cat.jpg#0"], "rejected": True}
    assert client.post("/api/objects/rejected", json=body).status_code == 200
    assert exported(client, format="coco")["objects"] == before - 1


def test_an_export_that_fails_says_why(client: TestClient, run: Path) -> None:
    (run / "export-csv").mkdir()
    (run / "export-csv" / "mine.txt").write_text("mine")
    told = exported(client, format="csv")
    assert told["state"] == "failed"
    assert "export-csv" in told["reason"]
    assert (run / "export-csv" / "mine.txt").read_text() == "mine"


def test_an_export_whose_photos_were_moved_leaves_the_earlier_one(
    found_run: Path, run: Path, tmp_path: Path
) -> None:
    photos = Path(shutil.copytree(found_run.parent / "photos", tmp_path / "photos"))
    with TestClient(make_app(run, photos=photos), base_url=BASE) as client:
        assert (told := exported(client, format="voc"))["state"] == "done", told
        written = sorted((run / "export-voc").rglob("*"))
        (photos / "cat.jpg").unlink()
        told = exported(client, format="voc")
    assert told["state"] == "failed"
    assert "cat.jpg (gone)" in told["reason"]
    assert "--photos" in told["reason"]
    assert sorted((run / "export-voc").rglob("*")) == written


@pytest.mark.parametrize("body", [{"format": "tiff"}, {"format": "csv", "split": "train=2"}])
def test_an_export_that_cannot_be_is_refused(client: TestClient, body: dict[str, str]) -> None:
    answer = client.post("/api/export", json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_a_selection_is_exported_beside_the_whole(client: TestClient, run: Path) -> None:
    whole = exported(client, format="coco")
    told = exported(client, format="coco", ids=["cat.jpg#0"], images="copy")
    assert (told["folder"], told["images"], told["objects"]) == (
        "run/export-coco-selection", 1, 1,
    )  # fmt: skip
    answer = client.get("/api/export/archive")
    assert 'filename="run-coco-selection.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert "images/default/cat.jpg" in archive.namelist()
    told = exported(client, format="coco", where="category = 1", categories=True)
    assert told["classes"] == ["category-1"]
    assert told["objects"] == len(heap.open(run).objects.to_pandas("category = 1"))
    assert whole["objects"] == len(heap.open(run).objects)
    told = exported(client, format="coco", ids=["nothing.jpg#0"])
    assert (told["state"], "no object 'nothing.jpg#0'" in told["reason"]) == ("failed", True)

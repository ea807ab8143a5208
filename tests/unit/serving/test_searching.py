import io
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

import heap
from heap.serving import searching

from .conftest import PHOTOS

CAT = PHOTOS / "cat.jpg"


def same(told: list[dict[str, Any]], hits: list[Any]) -> bool:
    found = [(each["id"], each["similarity"]) for each in told]
    return found == [(hit.id, pytest.approx(hit.similarity, abs=1e-5)) for hit in hits]


def test_what_is_like_an_object_is_what_the_collection_finds(
    reader: TestClient, found_run: Path
) -> None:
    values: dict[str, str | int] = {"id": "cat.jpg#0", "count": 3, "where": "score > 0.2"}
    told = reader.get("/api/nearest/object", params=values).json()
    hits = heap.open(found_run).search(object_id="cat.jpg#0", count=3, where="score > 0.2")
    assert same(told, hits)
    assert len(told) == 3
    assert all(each["score"] > 0.2 for each in told)


def test_what_is_like_a_box_of_an_image_of_the_run_or_of_another(
    reader: TestClient, found_run: Path
) -> None:
    hits = heap.open(found_run).search(CAT, box=(180.0, 117.0, 617.0, 317.0), count=4)
    box: dict[str, str | int] = {"box": "180,117,617,317", "count": 4}
    told = reader.get("/api/nearest/box", params={"key": "cat.jpg", **box}).json()
    assert same(told, hits)
    brought = reader.post("/api/nearest/image", params=box, content=CAT.read_bytes()).json()
    assert same(brought, hits)
    assert hits[0].id == "cat.jpg#0"


def test_what_is_in_an_image_that_is_brought(reader: TestClient, found_run: Path) -> None:
    before = reader.get("/api/run").json()
    told = reader.post("/api/discover", content=CAT.read_bytes(), params={"count": 2}).json()
    (result,) = (each for each in heap.open(found_run).results() if each.key == "cat.jpg")
    assert (told["width"], told["height"]) == (640, 480)
    assert [shape["object"]["box"] for shape in told["shapes"]] == result.objects.boxes.tolist()
    regions = reader.get("/pictures/regions", params={"key": "cat.jpg"}).content
    assert b64decode(told["regions"]) == regions
    nearest = told["nearest"][0]
    assert (nearest[0]["id"], len(nearest)) == ("cat.jpg#0", 2)
    assert nearest[0]["similarity"] == pytest.approx(1, abs=1e-4)
    assert reader.get("/api/run").json() == before


def test_an_image_without_an_object_has_none(reader: TestClient) -> None:
    told = reader.post("/api/discover", content=(PHOTOS / "bricks.jpg").read_bytes()).json()
    assert told["shapes"] == told["nearest"] == []


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"where": "score >"}, "condition"), ({"where": "1; DROP TABLE objects"}, "condition"),
     ({"id": "nothing#0"}, "no object")],
)  # fmt: skip
def test_bad_questions_are_explained(
    reader: TestClient, values: dict[str, str], reason: str
) -> None:
    answer = reader.get("/api/nearest/object", params={"id": "cat.jpg#0"} | values)
    assert answer.status_code in (400, 404)
    assert reason in answer.json()["detail"]


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "900,900,950,950", "nan,0,1,1"])
def test_boxes_that_cannot_be_used_are_refused(reader: TestClient, box: str) -> None:
    answer = reader.get("/api/nearest/box", params={"key": "cat.jpg", "box": box})
    assert answer.status_code in (400, 422)
    assert "box" in answer.json()["detail"]


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>", b"GIF89a"])
def test_what_is_no_image_is_refused(reader: TestClient, content: bytes) -> None:
    answer = reader.post("/api/discover", content=content)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_images_of_too_many_pixels_are_refused(reader: TestClient) -> None:
    file = io.BytesIO()
    Image.new("1", (8000, 8000)).save(file, "PNG")
    assert len(file.getvalue()) < 20_000
    answer = reader.post("/api/discover", content=file.getvalue())
    assert answer.status_code == 413
    assert "50000000 pixels" in answer.json()["detail"]


def test_images_of_too_many_bytes_are_refused(reader: TestClient) -> None:
    too_many = b"\0" * (searching.UPLOAD.byte_count + 1)
    assert reader.post("/api/discover", content=too_many).status_code == 413

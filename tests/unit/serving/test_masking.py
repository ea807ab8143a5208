from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import heap
from heap.categories.parts import from_counts, to_counts
from heap.results import Rle
from heap.serving.app import make_app
from heap.serving.pictures import PHOTO_SIDE
from heap.store.store import RunStore

from .conftest import BASE

KEY, ID = "cat.jpg", "cat.jpg#0"
Mask = np.ndarray


def shapes(client: TestClient, key: str = KEY) -> tuple[list[Mask], list[Mask]]:
    """Masks of the objects and pieces of the regions of an image."""
    told = client.get("/api/masks", params={"key": key}).json()
    size = tuple(told["size"])
    masks = [from_counts(counts, size) for counts in told["masks"]]
    return masks, [from_counts(counts, size) for counts in told["regions"]]


def plain(mask: Mask) -> dict[str, Any]:
    return {"size": list(mask.shape), "counts": to_counts(mask)}


def redraw(client: TestClient, status: int = 200, **body: Any) -> Any:
    answer = client.post("/api/objects/masks", json={"key": KEY, **body})
    assert answer.status_code == status, answer.text
    return answer.json()


def stored(run: Path, key: str = KEY) -> list[Rle]:
    (record,) = RunStore.open(run).records([key])
    return list(record.result.objects.masks)


def test_what_there_is_to_click_on(reader: TestClient, found_run: Path) -> None:
    masks, regions = shapes(reader)
    assert (masks[0] == stored(found_run)[0].decode()).all(), "it is small enough to be shown whole"
    assert len(regions) > 1
    covered = np.sum(regions, axis=0)
    assert covered.max() == 1
    assert (covered == 1).mean() > 0.99


def test_a_mask_is_replaced_with_its_embedding(client: TestClient, run: Path) -> None:
    masks, regions = shapes(client)
    before = heap.open(run).objects.to_pandas(f"id = '{ID}'").iloc[0]
    whole = masks[0] | max(regions, key=lambda piece: (piece & ~masks[0]).sum())
    told = redraw(client, replaced={ID: plain(whole)}, who="Ann")
    assert (told["what"], told["outdated"], told["ids"]) == (f"corrected the mask of {ID}", 0, [ID])
    assert (stored(run)[0].decode() == whole).all()
    after = heap.open(run).objects.to_pandas(f"id = '{ID}'").iloc[0]
    assert after["drawn"]
    assert not after["outdated"]
    box = tuple(after[edge] for edge in ("x1", "y1", "x2", "y2"))
    collection = heap.open(run)
    np.testing.assert_allclose(after["vector"], collection.embed(KEY, [box])[0], atol=1e-5)
    assert not np.allclose(before["vector"], after["vector"])
    drawing = client.get("/api/outlines", params={"key": KEY}).json()
    assert len(drawing["paths"]) == len(masks)
    contents = client.get("/api/contents").json()
    assert len(contents["objects"]["drawn"]) == 1
    assert client.post("/api/history/undo", json={}).status_code == 200
    assert (stored(run)[0].decode() == masks[0]).all()


def test_objects_are_added_and_split(client: TestClient, run: Path) -> None:
    masks, _ = shapes(client)
    upper = masks[0].copy()
    upper[len(upper) // 2 :] = False
    count = len(masks)
    redraw(client, split={ID: [plain(upper), plain(masks[0] & ~upper)]}, added=[plain(upper)])
    now = stored(run)
    assert len(now) == count + 2
    assert (now[0].decode() == upper).all()
    assert (now[count].decode() == masks[0] & ~upper).all()
    assert (now[count + 1].decode() == upper).all()


def test_of_a_large_photo_only_what_was_changed_is_coarser(tmp_path: Path) -> None:
    from runs import make_run

    size = (PHOTO_SIDE // 2, 2 * PHOTO_SIDE)
    draw = np.random.default_rng(0)
    whole = np.zeros(size, dtype=bool)
    whole[100:400, 100:900] = True
    ragged = whole & (draw.random(size) < 0.8)
    run = make_run(tmp_path, {KEY: [ragged]}, size)
    with TestClient(make_app(run), base_url=BASE) as client:
        (shown,), _ = shapes(client)
        assert shown.shape == (size[0] // 2, PHOTO_SIDE)
        larger = shown.copy()
        larger[50:100, 1000:1100] = True
        told = redraw(client, replaced={ID: plain(larger)})
        assert told["outdated"] == 1
        assert str(tmp_path) not in told["reason"]
        now = stored(run)[0].decode()
        assert (now[:, :1900] == ragged[:, :1900]).all()
        assert now[110:190, 2010:2190].all()
        half = larger.copy()
        half[:, 300:] = False
        redraw(client, split={ID: [plain(larger & ~half), plain(half)]})
        first, second = (mask.decode() for mask in stored(run))
        assert not (first & second).any()
        assert ((first | second) == now).all()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"key": "none.jpg"}, 404, "no image"),
        ({}, 400, "no mask to correct"),
        ({"replaced": {"cat.jpg#9": {"size": [2, 2], "counts": [0, 4]}}}, 400, "no object"),
        ({"replaced": {"dog.jpg#0": {"size": [2, 2], "counts": [0, 4]}}}, 400, "image at a time"),
        ({"replaced": {ID: {"size": [2, 2], "counts": [4]}}}, 400, "is empty"),
        ({"replaced": {ID: {"size": [2, 2], "counts": [1, 2]}}}, 422, "do not make"),
        ({"replaced": {ID: {"size": [2, 2], "counts": [-1, 5]}}}, 422, "do not make"),
        ({"replaced": {ID: {"size": [1, 2**40], "counts": [2**40]}}}, 422, "no side over"),
        ({"replaced": {ID: {"size": [2, 2], "counts": [2**70]}}}, 422, "do not make"),
        ({"split": {ID: [{"size": [2, 2], "counts": [0, 4]}]}}, 400, "at least two"),
        ({"split": {ID: [{"size": [n, 2], "counts": [2 * n]} for n in (1, 2)]}}, 422, "one size"),
        ({"replaced": {ID: {"size": [0, 0], "counts": []}}}, 422, "greater than"),
        ({"added": [{"size": [2, 2], "counts": [0, 4]}], "version": "1-1-1"}, 409, "meanwhile"),
    ],
)
def test_what_cannot_be_done_is_refused(
    client: TestClient, run: Path, body: dict[str, Any], status: int, said: str
) -> None:
    answer = client.post("/api/objects/masks", json={"key": KEY, **body})
    assert answer.status_code == status, answer.text
    assert said in str(answer.json()["detail"])
    assert not [entry for entry in heap.open(run).history if "mask" in entry.what]


def test_a_run_to_be_looked_at_is_not_changed(reader: TestClient) -> None:
    redraw(reader, 403, added=[])

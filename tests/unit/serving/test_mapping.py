"""The map and what stands out, which are computed in the background."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

import heap
from heap.categories.inspection import inspect
from heap.categories.projection import read_map
from heap.store.store import RunStore

from .test_browsing import get


def wait_for(client: TestClient, path: str) -> Any:
    for _ in range(600):
        answer = get(client, path)
        if answer["state"] != "running":
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{path} is never done")


def test_the_map_has_all_objects_and_is_kept(client: TestClient, run: Path) -> None:
    answer = wait_for(client, "map")
    assert answer["state"] == "done"
    kept = read_map(RunStore.open(run))
    assert kept is not None
    assert tuple(answer["id"]) == kept.ids
    told = np.stack([answer["x"], answer["y"]], axis=1) / 65535
    assert np.allclose(told, kept.places, atol=1 / 65535)
    assert get(client, "map") == answer


def test_of_a_run_that_is_looked_at_it_is_not_kept(reader: TestClient, found_run: Path) -> None:
    answer = wait_for(reader, "map")
    assert len(answer["id"]) == heap.open(found_run).store.counts().objects
    assert read_map(RunStore.open(found_run)) is None


def test_what_stands_out_is_what_inspect_says(reader: TestClient, found_run: Path) -> None:
    answer, seen = wait_for(reader, "inspection"), inspect(RunStore.open(found_run), 60)
    assert answer["state"] == "done"
    assert answer["unusual"] == [odd.id for odd in seen.unusual]
    assert answer["copies"] == [list(group) for group in seen.duplicates]


def test_a_damaged_store_fails_with_a_reason(client: TestClient, run: Path) -> None:
    for file in (run / "store" / "objects.lance" / "data").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    answer = client.get("/api/map")
    told = wait_for(client, "map") if answer.status_code == 200 else answer.json()
    assert "cannot be used" in (told.get("reason") or told["detail"])

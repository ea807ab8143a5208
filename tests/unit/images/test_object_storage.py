"""Buckets: what is listed and read, what a run leaves there, and what goes wrong with them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.registry import _registry

pytest.importorskip("moto", reason="moto, which plays the storage, is not installed")

from fastapi.testclient import TestClient
from object_storage import Storage, object_storage
from s3fs import S3FileSystem

import heap
from heap.base.errors import ImageError, InputError, WriteError
from heap.base.remote import explain
from heap.images import decode, list_images
from heap.images.failures import Failure
from heap.serving.app import make_app
from heap.store.store import RunStore


@pytest.fixture(scope="module")
def server() -> Iterator[Storage]:
    # One for all tests, because to start one takes a second.
    with object_storage() as server:
        yield server


@pytest.fixture
def storage(server: Storage, monkeypatch: pytest.MonkeyPatch) -> Storage:
    server.empty()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def bucket(storage: Storage, photos: Path) -> str:
    return storage.fill("photos", photos, "in")


def test_a_run_in_a_bucket_is_that_of_a_folder(
    storage: Storage, bucket: str, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    here = heap.discover(photos, tmp_path / "run", model=model_folder)
    there = heap.discover(bucket, "s3://photos/run", model=model_folder)

    assert there.counts == here.counts
    assert there.place == "s3://photos/run"
    for ours, theirs in zip(here.results(), heap.open("s3://photos/run").results(), strict=True):
        assert ours == theirs
    for name in ("objects.json", "failed.jsonl"):
        assert storage.read("photos", f"run/{name}") == (tmp_path / "run" / name).read_bytes()
    assert b"<html" in storage.read("photos", "run/gallery.html")
    drawn = {path.name for path in (tmp_path / "run" / "overlays").iterdir()}
    assert {name.rpartition("/")[2] for name in storage.names("photos", "run/overlays/")} == drawn


def test_a_run_in_a_bucket_is_served(bucket: str, model_folder: Path) -> None:
    place = "s3://photos/run"
    heap.discover(bucket, place, model=model_folder, limit=4)
    first = heap.open(place).objects.to_pandas().sort_values("id").iloc[0]
    box = ",".join(str(first[side]) for side in ("x1", "y1", "x2", "y2"))

    with TestClient(make_app(place, urls=True), base_url="http://127.0.0.1:8750") as client:

        def get(path: str, **values: str) -> Any:
            answer = client.get(path, params=values)
            assert answer.status_code == 200, answer.text
            return answer

        assert (told := get("/api/run").json())["images"] == 4
        assert told["name"] == "run"
        assert get("/api/contents").json()["images"]["key"] == [f"{n:02d}.png" for n in range(4)]
        for picture in ("thumbnail", "photo", "regions"):
            assert get(f"/pictures/{picture}", key=first.key).content
        assert get("/api/nearest/object", id=first.id).json()
        assert get("/api/nearest/box", key=first.key, box=box).json()[0]["id"] == first.id
        sorted_ = client.post("/api/categories/sort", json={"count": 2})
        assert [category["id"] for category in sorted_.json()["categories"]] == [1, 2]
        client.post("/api/categories/1/name", json={"name": "discs"})
        assert heap.open(place).categories[0].name == "discs"
        client.post("/api/history/undo", json={})
        assert heap.open(place).categories[0].name == ""
        refused = client.post("/api/export", json={"format": "coco"})
        assert (refused.status_code, "--out FOLDER" in refused.text) == (400, True)

    with TestClient(make_app(place), base_url="http://127.0.0.1:8750") as client:
        answer = client.get("/pictures/photo", params={"key": first.key})
        assert answer.status_code == 410
        assert "--urls" in answer.json()["detail"]


def test_what_is_there_is_not_done_again(bucket: str, model_folder: Path) -> None:
    place = "s3://photos/run"
    first = heap.discover(f"{bucket}/", place, model=model_folder, limit=5)
    again = heap.discover(bucket, place, model=model_folder)

    assert (first.images, again.images) == (5, 7)
    assert heap.discover(bucket, place, model=model_folder).images == 0


def test_a_changed_object_is_done_again(
    storage: Storage, bucket: str, photos: Path, model_folder: Path
) -> None:
    heap.discover(bucket, "s3://photos/run", model=model_folder)
    storage.put("photos", "in/03.png", (photos / "05.png").read_bytes())

    changed = heap.discover(bucket, "s3://photos/run", model=model_folder)

    assert (changed.images, changed.news.changed) == (1, ("03.png",))


def test_objects_in_memory_have_a_copy_in_the_bucket(
    storage: Storage, bucket: str, photos: Path, model_folder: Path
) -> None:
    data = (photos / "00.png").read_bytes()
    heap.discover([("a", data)], "s3://photos/run", model=model_folder)

    (name,) = storage.names("photos", "run/originals/")
    assert storage.read("photos", name) == data
    (stored,) = RunStore.open("s3://photos/run").stored()
    assert stored.source == f"s3://photos/{name}"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("s3://nowhere/in", "no such bucket"),
        ("s3://nowhere", "no such bucket"),
        ("s3://photos/none", "no such file or folder"),
        ("s3://secret/in", "access is denied; the credentials need"),
        ("s3://secret/in/a.jpg", "access is denied"),
        ("s3://secret/*.jpg", "access is denied"),
        ("s3://elsewhere/in", "another region"),
        ("s3://elsewhere/*.jpg", "another region"),
    ],
)
def test_a_place_that_cannot_be_used_says_why(
    storage: Storage, bucket: str, place: str, says: str
) -> None:
    storage.forbidden, storage.elsewhere = ("/secret",), ("/elsewhere",)

    with pytest.raises(InputError, match=says) as caught:
        list(list_images(place))

    assert place in str(caught.value)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("s3://nowhere/run", "no such bucket"),
        ("s3://secret/run", "access is denied"),
        ("s3://elsewhere/run", "another region"),
    ],
)
def test_a_run_that_cannot_be_written_says_why(
    storage: Storage, photos: Path, model_folder: Path, place: str, says: str
) -> None:
    storage.forbidden, storage.elsewhere = ("/secret",), ("/elsewhere",)

    with pytest.raises(WriteError, match=says):
        heap.discover(photos, place, model=model_folder)


@pytest.mark.parametrize("place", ["s3://photos/in", "s3://photos/in/00.png", "s3://photos/*.png"])
def test_a_clock_that_is_wrong_is_said(storage: Storage, bucket: str, place: str) -> None:
    storage.hour_ahead = True

    with pytest.raises(InputError, match="the clock of this machine differs"):
        list(list_images(place))


def test_a_run_is_not_written_with_a_wrong_clock(
    storage: Storage, bucket: str, photos: Path, model_folder: Path
) -> None:
    storage.hour_ahead = True

    with pytest.raises(WriteError, match="the clock of this machine differs"):
        heap.discover(photos, "s3://photos/run", model=model_folder)


def test_a_storage_that_does_not_answer_in_time_says_so(
    storage: Storage, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.begin("/photos", delay=1.0)
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    files = S3FileSystem(
        skip_instance_cache=True,
        config_kwargs={"read_timeout": 0.1, "retries": {"max_attempts": 0}},
    )

    with pytest.raises(Exception) as caught:  # noqa: PT011 - of a library of s3fs
        files.cat_file("photos/in/00.png")

    assert "answers too slowly" in explain(caught.value)


def test_credentials_that_are_missing_are_asked_for(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    with pytest.raises(Exception) as caught:  # noqa: PT011 - of a library of s3fs
        S3FileSystem(skip_instance_cache=True).info(bucket)

    assert "no credentials: set AWS_ACCESS_KEY_ID" in explain(caught.value)


def test_an_object_that_vanished_fails_alone(storage: Storage, bucket: str) -> None:
    sources = list(list_images(bucket))
    storage.remove("photos", "in/03.png")

    with pytest.raises(ImageError, match="no such object") as caught:
        decode(sources[3])

    assert caught.value.stage == "read"
    assert decode(sources[4]).width


def test_a_storage_that_refuses_for_some_seconds_is_waited_for(
    storage: Storage, bucket: str, model_folder: Path
) -> None:
    sources = list(list_images(bucket))
    with RunStore.create_or_open("s3://photos/run", {}) as store:
        storage.be_busy(4)
        picture = decode(sources[0])
        storage.be_busy(4)
        store.add([failure := _failed(picture.key)])
        assert list(store.failures()) == [failure]
    assert storage.refused > 2


def test_a_storage_that_goes_on_refusing_says_so(
    storage: Storage, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    storage.be_busy(3600)

    with pytest.raises(InputError, match="overloaded, and refused after many attempts"):
        list(list_images(bucket))


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    for protocol in ("s3", "s3a"):
        monkeypatch.delitem(_registry, protocol, raising=False)

    with pytest.raises(InputError, match=r"s3:// needs s3fs: pip install 'heap\[s3\]'"):
        list_images("s3://photos/in")


def _failed(key: str) -> Failure:
    return Failure(key, "decode", "damaged", f"s3://photos/in/{key}")

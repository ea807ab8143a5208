"""A run of real photos, and the application over a copy of it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from heap.categories.sorting import sort_objects
from heap.discovery.command import discover
from heap.serving.app import make_app
from heap.store.editing import Editor

Once = Callable[[str, Callable[[Path], object]], Path]

PHOTOS = Path(__file__).parents[3] / "demo" / "photos"
USED = ("astronaut", "bricks", "cat", "chickens", "coffee", "dog")
BASE = "http://127.0.0.1:8750"


@pytest.fixture(scope="session")
def found_run(once: Once) -> Path:
    """What `heap discover` finds in six demo photos and a torn one, in two categories."""
    return once("served", _make_run) / "run"


def _make_run(folder: Path) -> None:
    photos = folder / "photos"
    photos.mkdir()
    for name in USED:
        shutil.copy(PHOTOS / f"{name}.jpg", photos)
    (photos / "torn.jpg").write_bytes((PHOTOS / "dog.jpg").read_bytes()[:2000])
    discover(photos, folder / "run", model="embedded-small")
    with Editor(folder / "run") as editor:
        sort_objects(editor, 2)


@pytest.fixture
def run(found_run: Path, tmp_path: Path) -> Path:
    """A copy of the run that may be changed."""
    return Path(shutil.copytree(found_run, tmp_path / "run"))


@pytest.fixture
def client(run: Path) -> Iterator[TestClient]:
    with TestClient(make_app(run), base_url=BASE) as client:
        yield client


@pytest.fixture
def reader(found_run: Path) -> Iterator[TestClient]:
    """For tests that change nothing."""
    with TestClient(make_app(found_run, read_only=True), base_url=BASE) as client:
        yield client

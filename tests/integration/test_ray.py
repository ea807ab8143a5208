"""A cluster of three nodes finds what one machine finds, whatever is lost meanwhile."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from conftest import draw_photo
from PIL import Image

pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip("moto", reason="moto, which plays the storage, is not installed")

from object_storage import Storage, object_storage

import heap
from heap.discovery.command import Discovery
from heap.store import schema
from heap.store.store import RunStore

IMAGES = 60
SETTINGS = {"chunk": 2}
PATIENCE = 400.0
"""Seconds that a driver may take on a machine with much else to do."""

# Stores each portion as it comes, so that a kill finds some of them stored.
DRIVER = """
import json, sys
import heap, heap.discovery.spread
heap.discovery.spread._EVERY_S = 0
images, out, model, address, settings = json.loads(sys.argv[1])
run = heap.discover(
    images, out, model=model, config=settings, engine="ray", cluster={"address": address}
)
print(json.dumps([run.images, run.usable, dict(run.news.skipped)]))
"""


# A model that ends its process, as the system does for want of memory; nothing is tried twice.
DEADLY = """
import os
import heap, heap.discovery.cluster
heap.discovery.cluster._TRIES = 0

class Deadly(heap.Heap):
    def examine(self, pictures, config=None):
        if any(picture.key == "03.png" for picture in pictures):
            os.kill(os.getpid(), 9)
        return super().examine(pictures, config)

load = heap.Heap.from_pretrained
def load_deadly(*arguments, **options):
    model = load(*arguments, **options)
    model.__class__ = Deadly
    return model
heap.Heap.from_pretrained = load_deadly
"""


class Machines:
    """Cluster of Ray, and drivers that work on it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        command = [sys.executable, str(Path(__file__).parents[1] / "ray_cluster.py"), "2"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.address = self._answer()

    def change(self, what: str) -> None:
        """Add a node, or remove one as if its power was lost."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._answer() == "done"

    def start(self, images: str, out: str, model: Path, first: str = "") -> "subprocess.Popen[str]":
        """Start a driver, which runs some code first."""
        arguments = json.dumps([images, out, str(model), self.address, SETTINGS])
        return subprocess.Popen(
            [sys.executable, "-c", first + DRIVER, arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )

    def workers(self) -> list[psutil.Process]:
        """Processes that hold the model."""
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if "".join(process.info["cmdline"] or []).startswith("ray::MapWorker")
        ]

    def close(self) -> None:
        self._process.communicate(timeout=PATIENCE)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    with object_storage() as storage, pytest.MonkeyPatch.context() as patch:
        for name, value in storage.environment.items():
            patch.setenv(name, value)
        yield storage


@pytest.fixture(scope="module")
def machines(storage: Storage) -> Iterator[Machines]:
    machines = Machines(
        os.environ
        | {
            # Its ports are open to the network of this machine.
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "300",
            "RAY_worker_niceness": "0",
        }
    )
    yield machines
    machines.close()


@pytest.fixture(scope="module")
def images(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Photos in a bucket, in two folders, among them one that is none."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(IMAGES):
        Image.fromarray(draw_photo(number)).save(folder / f"{number:02d}.png")
    (folder / "07.png").write_bytes(b"no image")
    (folder / "notes.md").write_bytes(b"# Photos")
    return storage.fill("photos", folder, "in")


@pytest.fixture(scope="module")
def alone(storage: Storage, images: str, model_folder: Path) -> Discovery:
    """Run of one machine."""
    return heap.discover(images, "s3://photos/alone", model=model_folder, config=SETTINGS)


def test_workers_are_killed_and_the_storage_refuses(
    storage: Storage, machines: Machines, images: str, model_folder: Path, alone: Discovery
) -> None:
    storage.begin("/photos/in/", delay=0.1)
    driver = machines.start(images, "s3://photos/killed", model_folder)
    _wait_for(lambda: storage.reads >= 10, driver)
    victim = machines.workers()[0]
    victim.kill()
    _wait_for(lambda: storage.reads >= 30, driver)
    storage.be_busy(3)

    assert _answer(driver) == [IMAGES, IMAGES - 1, {"not images by their names (.md)": 1}]
    assert storage.refused
    _check_same(storage, "killed", alone)


def test_a_node_is_lost_and_the_driver_is_killed_and_starts_again(
    storage: Storage, machines: Machines, images: str, model_folder: Path, alone: Discovery
) -> None:
    storage.begin("/photos/in/", delay=0.1)
    driver = machines.start(images, "s3://photos/again", model_folder)
    _wait_for(lambda: storage.reads >= 10, driver)
    machines.change("remove")
    _wait_for(lambda: _stored("s3://photos/again") >= 8, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    before = _stored("s3://photos/again")
    assert 8 <= before < IMAGES

    machines.change("add")
    second = machines.start(images, "s3://photos/again", model_folder)

    worked, usable, _ = _answer(second)
    assert (worked, usable) == (IMAGES - before, IMAGES - 1)
    _check_same(storage, "again", alone)


def test_an_image_that_ends_its_worker_each_time_fails_alone(
    machines: Machines, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    driver = machines.start(str(photos), str(tmp_path / "run"), model_folder, DEADLY)

    assert _answer(driver) == [12, 11, {}]

    store = RunStore.open(tmp_path / "run")
    (failure,) = store.failures()
    assert (failure.key, failure.stage) == ("03.png", "worker")
    assert failure.source == str(photos / "03.png")
    assert len(list(store.records())) == 11


def _check_same(storage: Storage, run: str, alone: Discovery) -> None:
    ours, theirs = RunStore.open(f"s3://photos/{run}"), RunStore.open(alone.place)
    assert list(ours.records()) == list(theirs.records())
    assert list(ours.failures()) == list(theirs.failures())
    for table in (schema.IMAGES, schema.OBJECTS):
        assert ours.table(table).count_rows() == theirs.table(table).count_rows()
    coco, overlays = f"{run}/objects.json", f"{run}/overlays/"
    assert storage.read("photos", coco) == storage.read("photos", "alone/objects.json")
    drawn = [name.removeprefix(overlays) for name in storage.names("photos", overlays)]
    assert drawn == [
        name.removeprefix("alone/overlays/") for name in storage.names("photos", "alone/overlays/")
    ]


def _stored(run: str) -> int:
    try:
        return RunStore.open(run).table(schema.IMAGES).count_rows()
    except heap.HeapError:  # It is just being made.
        return 0


def _wait_for(condition: Callable[[], bool], driver: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def _answer(driver: "subprocess.Popen[str]") -> list[object]:
    out, error = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0, error
    answer: list[object] = json.loads(out.splitlines()[-1])
    return answer

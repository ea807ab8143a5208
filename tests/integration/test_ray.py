"""A cluster of three nodes finds what one machine finds, whatever is lost meanwhile."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_photo
from PIL import Image

pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip("moto", reason="moto, which plays the storage, is not installed")

from benchmarks.cluster_processes import Machines
from object_storage import Storage, object_storage

import heap
from heap.base.errors import InputError
from heap.categories.drawing import MaskEdits, edit_masks
from heap.discovery.outcome import Discovery
from heap.store import schema
from heap.store.editing import Editor
from heap.store.store import RunStore

IMAGES = 160
SETTINGS = {"chunk": 5, "save": []}
PATIENCE = 1200.0
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


# A model that ends its process, as the system does for want of memory; nothing is tried twice. The
# driver ends with an error if a worker has the weights twice.
DEADLY = """
import gc, os
import heap, heap.discovery.cluster
heap.discovery.cluster._TRIES = 0

class Deadly(heap.Heap):
    def examine(self, pictures, config=None):
        if any(picture.key == "03.png" for picture in pictures):
            os.kill(os.getpid(), 9)
        weights = list(self.state_dict().values())
        shape = max(weights, key=lambda weight: weight.numel()).shape
        own = {weight.data_ptr() for weight in weights if weight.shape == shape}
        kinds = type(weights[0]), type(next(self.parameters()))
        there = [one for one in gc.get_objects() if type(one) in kinds and one.shape == shape]
        if copies := {one.data_ptr() for one in there} - own:
            raise heap.HeapError(f"{len(copies)} more tensors like {len(own)} of the model")
        return super().examine(pictures, config)

load = heap.Heap.from_pretrained
def load_deadly(*arguments, **options):
    model = load(*arguments, **options)
    model.__class__ = Deadly
    return model
heap.Heap.from_pretrained = load_deadly
"""


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    with object_storage() as storage, pytest.MonkeyPatch.context() as patch:
        for name, value in storage.environment.items():
            patch.setenv(name, value)
        yield storage


@pytest.fixture(scope="module")
def machines(storage: Storage) -> Iterator[Machines]:
    with Machines(2) as machines:
        yield machines


@pytest.fixture(scope="module")
def images(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Photos in a bucket, in two folders, among them one that is none."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(IMAGES):
        Image.fromarray(draw_photo(number)).save(folder / f"{number:03d}.png")
    (folder / "007.png").write_bytes(b"no image")
    (folder / "notes.md").write_bytes(b"# Photos")
    return storage.fill("photos", folder, "in")


@pytest.fixture(scope="module")
def alone(images: str, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Discovery:
    """Run of one machine, on its disk, which is quicker than a bucket and holds the same."""
    out = tmp_path_factory.mktemp("alone") / "run"
    return heap.discover(images, out, model=model_folder, config=SETTINGS)


def test_whatever_is_lost_the_run_is_that_of_one_machine(
    storage: Storage, machines: Machines, images: str, model_folder: Path, alone: Discovery
) -> None:
    storage.begin("/photos/in/", delay=0.05)
    driver = start(machines, images, "s3://photos/run", model_folder)
    _wait_for(lambda: storage.reads >= 20, driver)
    machines.workers()[0].kill()
    _wait_for(lambda: storage.reads >= 40, driver)
    storage.be_busy(3)
    _wait_for(lambda: _stored("s3://photos/run") >= 40, driver)
    machines.remove_node()
    _wait_for(lambda: _stored("s3://photos/run") >= 80, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    before = _stored("s3://photos/run")
    assert 80 <= before < IMAGES
    assert storage.refused

    machines.add_node()
    second = start(machines, images, "s3://photos/run", model_folder)

    assert _answer(second) == [
        IMAGES - before, IMAGES - 1, {"not images by their names (.md)": 1},
    ]  # fmt: skip
    _check_same(storage, "run", alone)


def test_an_image_that_ends_its_worker_fails_alone_and_corrected_masks_are_embedded(
    machines: Machines, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    settings = {"chunk": 2}
    heap.discover(photos, tmp_path / "run", model=model_folder, config=settings, limit=2)
    corrected = _correct_without_model(tmp_path / "run")

    driver = start(machines, str(photos), str(tmp_path / "run"), model_folder, DEADLY)

    assert _answer(driver) == [10, 11, {}]
    hits = heap.open(tmp_path / "run").search(object_id=corrected)
    assert hits.outdated == 0

    store = RunStore.open(tmp_path / "run")
    (failure,) = store.failures()
    assert (failure.key, failure.stage) == ("03.png", "worker")
    assert failure.source == str(photos / "03.png")
    records = list(store.records())
    assert len(records) == 11
    assert records[0].result.objects
    # Workers draw, and the driver does the rest.
    assert len(list((tmp_path / "run" / "overlays").iterdir())) == 11


def _correct_without_model(run: Path) -> str:
    """Correct the mask of an object, whose embedding is outdated then; returns its id."""
    result = next(result for result in heap.open(run).results() if len(result.objects))
    mask = np.zeros((result.height, result.width), dtype=bool)
    mask[3:40, 5:60] = True

    def unable(key: str, boxes: object) -> np.ndarray:
        raise InputError("the model is elsewhere")

    with Editor(run) as editor:
        edited = edit_masks(editor, MaskEdits({f"{result.key}#0": mask}), unable)
    assert edited.outdated == edited.ids
    return edited.ids[0]


def start(
    machines: Machines, images: str, out: str, model: Path, first: str = ""
) -> "subprocess.Popen[str]":
    """Start a driver, which runs some code first."""
    settings = SETTINGS if out.startswith("s3:") else {"chunk": 2}
    arguments = json.dumps([images, out, str(model), machines.address, settings])
    return subprocess.Popen(
        [sys.executable, "-c", first + DRIVER, arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=machines.environment,
    )


def _check_same(storage: Storage, run: str, alone: Discovery) -> None:
    ours, theirs = RunStore.open(f"s3://photos/{run}"), RunStore.open(alone.place)
    assert list(ours.records()) == list(theirs.records())
    assert list(ours.failures()) == list(theirs.failures())
    for table in (schema.IMAGES, schema.OBJECTS):
        assert ours.table(table).count_rows() == theirs.table(table).count_rows()
    coco = storage.read("photos", f"{run}/objects.json")
    assert coco == (alone.folder / "objects.json").read_bytes()


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

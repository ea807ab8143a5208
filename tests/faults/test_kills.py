"""Processes that are killed at any moment: the same task again ends as if nothing had happened."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killing import Worker
from worker import CHECKPOINT, CHUNK

pytestmark = pytest.mark.timeout(300)

Files = dict[str, bytes]


BAD = 2
"""Files of the album that are no images."""


@pytest.fixture(scope="module")
def worker(python: list[str]) -> Worker:
    return Worker(python)


@pytest.fixture(scope="module")
def album(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photos, and among them two that fail."""
    folder = tmp_path_factory.mktemp("album")
    shutil.copytree(photos, folder, dirs_exist_ok=True)
    (folder / "03a.jpg").write_bytes(b"no image")
    (folder / "07a.jpg").touch()
    return folder


@pytest.fixture(scope="module")
def discovery(album: Path, model_folder: Path) -> dict[str, Any]:
    return {"do": "discover", "photos": str(album), "model": str(model_folder)}


@pytest.fixture(scope="module")
def fitting(album: Path, encoder_folder: Path) -> dict[str, Any]:
    return {"do": "fit", "photos": str(album), "encoder": str(encoder_folder)}


def found_in(run: Path) -> Files:
    """All that a run shows to its user."""
    paths = [path for path in run.rglob("*") if path.is_file() and "store" not in path.parts]
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(paths)}


@pytest.fixture(scope="module")
def whole_run(
    worker: Worker, discovery: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Files:
    out = tmp_path_factory.mktemp("whole") / "run"
    assert worker.run(discovery | {"out": str(out)}).status == 0
    files = found_in(out)
    assert len(json.loads(files["objects.json"])["images"]) == 12
    assert len(files["failed.jsonl"].splitlines()) == 2
    assert len(files) == 12 + 12 + 3
    return files


@pytest.mark.fault("F27")
@pytest.mark.parametrize("seed", range(4))
def test_f27_discover_killed_again_and_again(
    seed: int, worker: Worker, discovery: dict[str, Any], whole_run: Files, tmp_path: Path
) -> None:
    draw = np.random.default_rng(seed)
    task = discovery | {"out": str(tmp_path / "run")}
    stored = 0
    for _ in range(2):
        killed = worker.run(task, after=int(draw.integers(4)), wait=draw.uniform(0, 0.15))
        assert killed.status in (-signal.SIGKILL, 0)
        stages = killed.stages["objects"]
        # Only what has failed is tried again.
        assert stored - BAD <= stages[0] <= stored + CHUNK, "what was stored is not done again"
        stored = stages[-1]
    last = worker.run(task)
    assert last.status == 0
    assert last.stages["objects"][0] >= stored - BAD
    assert found_in(tmp_path / "run") == whole_run


@pytest.fixture(scope="module")
def whole_fit(
    worker: Worker, fitting: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Files:
    out = tmp_path_factory.mktemp("whole") / "model"
    task = fitting | {"out": str(out), "cache": str(out.parent / "cache")}
    assert worker.run(task).status == 0
    return fitted_in(out)


def fitted_in(model: Path) -> Files:
    names = ("model.safetensors", "config.json", "README.md", "log.jsonl")
    return {name: (model / name).read_bytes() for name in names}


@pytest.mark.fault("F28")
@pytest.mark.parametrize("seed", range(4))
def test_f28_fit_killed_again_and_again(
    seed: int, worker: Worker, fitting: dict[str, Any], whole_fit: Files, tmp_path: Path
) -> None:
    draw = np.random.default_rng(seed)
    task = fitting | {"out": str(tmp_path / "model"), "cache": str(tmp_path / "cache")}
    reached = 0
    # The features come first, two lines of them, and twelve of the masks of the prior; the second
    # child goes on where the first was.
    for _ in range(2):
        killed = worker.run(task, after=int(draw.integers(26)), wait=draw.uniform(0, 0.05))
        assert killed.status in (-signal.SIGKILL, 0)
        steps = killed.stages.get("training", [])
        if steps and reached:
            saved = reached - reached % CHECKPOINT
            assert saved + 1 <= steps[0] <= saved + CHECKPOINT + 1
        reached = steps[-1] if steps else reached
    last = worker.run(task)
    assert last.status == 0
    first = last.stages.get("training", [reached + 1])[0]
    assert first > reached - reached % CHECKPOINT
    assert fitted_in(tmp_path / "model") == whole_fit


@pytest.mark.fault("F28")
def test_f28_a_head_that_teaches_itself_killed_at_each_stage(
    worker: Worker, fitting: dict[str, Any], tmp_path: Path
) -> None:
    """At the head of the three losses, at the layer, at the masks, and at the head itself."""
    whole = fitting | {"out": str(tmp_path / "whole"), "cache": str(tmp_path / "a")}
    task = fitting | {"out": str(tmp_path / "model"), "cache": str(tmp_path / "b")}
    first = worker.run(whole | {"prior": "self"})
    assert first.status == 0
    assert len(first.stages["training"]) == 2 * 18
    # Lines of a child: two of the features, then what is left of the steps of the first head, and
    # then, as long as the masks are not kept, forty of the layer and twelve of them; then steps.
    for after in (7, 18, 46, 60):
        killed = worker.run(task | {"prior": "self"}, after=after)
        assert killed.status in (-signal.SIGKILL, 0)
    last = worker.run(task | {"prior": "self"})
    assert last.status == 0
    assert len(last.stages["training"]) < 18, "both heads went on where they were"
    assert fitted_in(tmp_path / "model") == fitted_in(tmp_path / "whole")


@pytest.mark.fault("F29")
def test_f29_discover_stores_what_it_has_in_hand_when_interrupted(
    worker: Worker, discovery: dict[str, Any], whole_run: Files, tmp_path: Path
) -> None:
    task = discovery | {"out": str(tmp_path / "run")}
    stopped = worker.run(task, signal.SIGINT, after=1)
    assert stopped.status == 130
    done = stopped.stages["objects"][-1]
    assert done <= 2 * CHUNK
    assert not (tmp_path / "run" / ".lock").exists()
    resumed = worker.run(task)
    assert resumed.status == 0
    assert resumed.stages["objects"][0] == done + CHUNK, "the chunk in hand was stored"
    assert found_in(tmp_path / "run") == whole_run


@pytest.mark.fault("F29")
def test_f29_fit_can_be_interrupted(
    worker: Worker, fitting: dict[str, Any], whole_fit: Files, tmp_path: Path
) -> None:
    task = fitting | {"out": str(tmp_path / "model"), "cache": str(tmp_path / "cache")}
    stopped = worker.run(task, signal.SIGINT, after=18)
    assert stopped.status == 130
    assert worker.run(task).status == 0
    assert fitted_in(tmp_path / "model") == whole_fit

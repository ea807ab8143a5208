"""`python -m heap.pretraining` with little installed, and on two devices."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
from devices import on_two
from packaging.requirements import Requirement

from heap.encoder.load import load_encoder

Run = Callable[..., subprocess.CompletedProcess[str]]

NEEDS = ("torch", "transformers", "accelerate", "safetensors", "numpy", "jaxtyping")
ALSO_GONE = {"pydantic", "pydantic_core", "rich", "jinja2"}
"""Needed by those for nothing that is used here, and by the rest of this package at every turn."""

BARE = """
import runpy, sys
from importlib.machinery import PathFinder

gone = set(sys.argv.pop(1).split(","))
find = PathFinder.find_spec

def find_what_is_there(name, path=None, target=None):
    return None if name.partition(".")[0] in gone else find(name, path, target)

PathFinder.find_spec = find_what_is_there
for name in [name for name in sys.modules if name.partition(".")[0] in gone]:
    del sys.modules[name]
runpy.run_module("heap.pretraining", run_name="__main__", alter_sys=True)
assert not gone & {name.partition(".")[0] for name in sys.modules}
"""

IN_STEP = """
import hashlib, itertools, json, sys
from pathlib import Path

import heap.pretraining.trainer
from heap.pretraining.architectures import new_model
from heap.pretraining.config import PretrainConfig
from heap.pretraining.photos import read_packs
from heap.pretraining.trainer import Pretrainer, new_accelerator

task = json.loads(sys.argv[1])
photos, found = read_packs([Path(path) for path in task["packs"]]), []
for values in task["settings"]:
    config = PretrainConfig(**values)
    trainer = Pretrainer(new_accelerator(), new_model(config.architecture), photos, config)
    rank = trainer.accelerator.process_index
    # A clock by which a step takes one second on the first device, and two on the second.
    heap.pretraining.trainer.monotonic = itertools.count(0.0, 1.0 + rank).__next__
    losses = [trainer.advance() for _ in range(config.steps)]
    digest = hashlib.sha256()
    for network in (trainer.raw, trainer.teacher):
        for name, value in network.state_dict().items():
            digest.update(name.encode() + value.numpy().tobytes())
    count = trainer.accelerator.num_processes
    found.append([count, trainer.seconds, digest.hexdigest(), losses])
Path(task["out"], f"{rank}.json").write_text(json.dumps(found))
"""


def needed() -> Iterator[str]:
    """Names of distributions that are there wherever those in NEEDS are."""
    wanted, known = list(NEEDS), set()
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in known:
            continue
        known.add(name)
        try:
            asked = map(Requirement, requires(name) or [])
        except PackageNotFoundError:
            continue
        yield name
        wanted += [each.name for each in asked
                   if each.marker is None or each.marker.evaluate({"extra": ""})]  # fmt: skip


def missing_modules() -> set[str]:
    """Top-level modules of everything else that is installed here."""
    there = {*needed(), "heap"}
    return ALSO_GONE | {
        module
        for module, owners in packages_distributions().items()
        if not there & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
    }


@pytest.fixture(scope="module")
def packs(run_heap: Run, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    stem = tmp_path_factory.mktemp("packs") / "photos"
    done = run_heap("pack", photos, "--out", stem, "--side", 48, "--megabytes", 0.03)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "resnet").mkdir()
    (tmp_path / "resnet" / "config.json").write_text(json.dumps({
        "model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 16, 16, 16],
        "depths": [1, 1, 1, 1], "layer_type": "basic",
    }))  # fmt: skip
    return {"architecture": str(tmp_path / "resnet"), "steps": 4, "batch": 4, "crop": 32,
            "global_crops": 2, "local_crop": 32, "local_crops": 1, "prototypes": 8,
            "image_weight": 1.0, "patch_weight": 1.0}  # fmt: skip


def written(settings: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(settings))
    return path


def test_it_needs_six_packages_and_what_they_need(
    packs: list[str], settings: dict[str, Any], tmp_path: Path
) -> None:
    gone = missing_modules()
    assert gone >= {"PIL", "scipy", "lancedb", "pyarrow", "supervision", "cyclopts", "beartype"}
    out = tmp_path / "encoder"
    command = [*packs, "--out", str(out), "--settings", str(written(settings, tmp_path))]
    done = subprocess.run(
        [sys.executable, "-c", BARE, ",".join(sorted(gone)), *command],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == "12 images"
    assert [line.split()[0] for line in lines[1:]] == ["25", "50", "75", "100"]
    assert load_encoder(str(out)).patch == 8


def test_two_processes_end_together_and_leave_one_encoder(
    packs: list[str], settings: dict[str, Any], tmp_path: Path
) -> None:
    """By the clock, which the two of them read for themselves."""
    settings |= {"steps": 100_000, "minutes": 0.05}
    out = tmp_path / "encoder"
    done = on_two(
        "-m", "heap.pretraining", *packs, "--out", out, "--settings", written(settings, tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("12 images") == 1
    assert done.stderr.splitlines()[-1].startswith("100 %")
    assert load_encoder(str(out)).patch == 8


def test_two_processes_keep_in_step(
    packs: list[str], settings: dict[str, Any], tmp_path: Path
) -> None:
    """Different images, the same weights: also where nothing is hidden, and where not every weight
    of a network has a part in its features."""
    (tmp_path / "convnext").mkdir()
    (tmp_path / "convnext" / "config.json").write_text(json.dumps({
        "model_type": "convnext", "hidden_sizes": [4, 4, 8, 8], "depths": [1, 1, 1, 1],
    }))  # fmt: skip
    each = [
        settings | {"batch": 2, "global_crops": 1, "steps": 8},
        settings | {"architecture": str(tmp_path / "convnext")},
    ]
    task = {"packs": packs, "settings": each, "out": str(tmp_path)}
    script = tmp_path / "in_step.py"
    script.write_text(IN_STEP)
    done = on_two(script, json.dumps(task))
    assert done.returncode == 0, done.stderr
    pair = zip(*(json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)),
               strict=True)  # fmt: skip
    for (count, seconds, digest, losses), other in pair:
        assert count == 2
        assert seconds == 1.5 * len(losses)
        assert [count, seconds, digest] == other[:3]
        assert all(ours != theirs for ours, theirs in zip(losses, other[3], strict=True))
    assert any(step["patch"] == 0 for step in losses_of(tmp_path)), "a step with nothing hidden"


def losses_of(folder: Path) -> list[dict[str, float]]:
    return [step for rank in (0, 1)
            for step in json.loads((folder / f"{rank}.json").read_text())[0][3]]  # fmt: skip


def test_control_c_is_one_line(
    python: list[str], packs: list[str], settings: dict[str, Any], tmp_path: Path
) -> None:
    settings |= {"steps": 100_000, "checkpoint_every": 1}
    out = tmp_path / "encoder"
    command = [*packs, "--out", str(out), "--settings", str(written(settings, tmp_path))]
    with subprocess.Popen(
        [*python, "-m", "heap.pretraining", *command], stderr=subprocess.PIPE, text=True
    ) as process:
        while not (out / "checkpoint.pt").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.splitlines()[-1] == (
        "heap.pretrain: interrupted; the same command goes on from here"
    )
    assert "Traceback" not in err

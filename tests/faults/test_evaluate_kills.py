"""Evaluations that are killed at any moment: the same command again ends with the same scores."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killing import Worker
from scenes import folder_set

from heap import cli
from heap.benchmark.results import Results, read_results

pytestmark = pytest.mark.timeout(300)

METHODS = ["heap", "found", "tokencut"]
IMAGES = 8
LINES = 52
"""Of progress: features, 7 masks, 12 steps, objectness of 7 images and their crops, 7 whole images
and the end; features and 6 steps; 8 images and the end."""


@pytest.fixture(scope="module")
def worker(python: list[str]) -> Worker:
    return Worker(python)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes with masks; one of the images is broken."""
    root = folder_set(tmp_path_factory.mktemp("album"), IMAGES)
    (root / "images" / "05.png").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module")
def evaluating(album: Path, encoder_folder: Path) -> dict[str, Any]:
    return {
        "do": "evaluate", "data": str(album), "methods": METHODS, "encoder": str(encoder_folder),
    }  # fmt: skip


def timeless(results: Results) -> dict[str, Any]:
    """All that a result says but for times and memory, and the command that made it."""
    about = asdict(results)
    del about["cost"], about["command"]
    for row in about["rows"]:
        del row["seconds"], row["peak_mb"]
    if about["method"]["fit"]:
        del about["method"]["fit"]["seconds"]
    return about


def found_in(out: Path) -> dict[str, dict[str, Any]]:
    return {name: timeless(read_results(out / f"{name}.json.gz")) for name in METHODS}


def places(out: Path) -> dict[str, str]:
    return {"out": str(out / "results"), "cache": str(out / "cache")}


@pytest.fixture(scope="module")
def whole(
    worker: Worker, evaluating: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    out = tmp_path_factory.mktemp("whole")
    ended = worker.run(evaluating | places(out))
    assert ended.status == 0
    assert ended.stages["evaluating"] == list(range(IMAGES + 1))
    assert sum(map(len, ended.stages.values())) == LINES
    found = found_in(out / "results")
    for each in found.values():
        assert [row["image"] for row in each["rows"]] == [
            f"{number:02d}.png" for number in range(IMAGES) if number != 5
        ]
        assert [failure["image"] for failure in each["data"]["failed"]] == ["05.png"]
    return found


@pytest.mark.fault("F27")
@pytest.mark.parametrize("seed", range(3))
def test_f27_evaluate_killed_again_and_again(
    seed: int,
    worker: Worker,
    evaluating: dict[str, Any],
    whole: dict[str, dict[str, Any]],
    tmp_path: Path,
) -> None:
    draw = np.random.default_rng(seed)
    task, results = evaluating | places(tmp_path), tmp_path / "results"
    for after in (draw.integers(LINES), draw.integers(LINES), draw.integers(4)):
        stored, taught = rows_in(results), is_taught(results / "found-model")
        killed = worker.run(task, after=int(after), wait=draw.uniform(0, 0.1))
        assert killed.status in (-signal.SIGKILL, 0)
        assert not (taught and "found" in killed.stages), "it was taught already"
        if done := killed.stages.get("evaluating"):
            assert done[0] == stored, "what has its rows is not evaluated again"
        if killed.status == 0:
            break
        for journal in results.glob("*.partial.jsonl"):
            tear(journal, draw)
    assert worker.run(task).status == 0
    assert found_in(results) == whole
    assert not list(results.glob("*.partial*"))


def rows_in(results: Path) -> int:
    """How many images have whole rows of all methods."""
    journals = [path.read_bytes() for path in results.glob("*.partial.jsonl")]
    if len(journals) < len(METHODS):
        return 0
    return max(0, min(each.count(b"\n") for each in journals) - 1)


def is_taught(model: Path) -> bool:
    about = model / "learned.json"
    return about.exists() and "fit" in json.loads(about.read_text())


def tear(journal: Path, draw: np.random.Generator) -> None:
    """What a loss of power may do beyond a kill: the end of the file was not written."""
    if draw.random() < 0.5:
        whole = journal.read_bytes()
        journal.write_bytes(whole[: len(whole) - int(draw.integers(1, 60))])


@pytest.mark.fault("F29")
def test_f29_evaluate_stores_the_image_in_hand_when_interrupted(
    worker: Worker, evaluating: dict[str, Any], whole: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    task = evaluating | places(tmp_path)
    stopped = worker.run(task, signal.SIGINT, after=LINES - 6)
    assert stopped.status == 130
    done = stopped.stages["evaluating"][-1]
    assert 3 <= done < IMAGES
    rows = done - (done > 5)
    for journal in (tmp_path / "results").glob("*.partial.jsonl"):
        images = [json.loads(line)["image"] for line in journal.read_text().splitlines()[1:]]
        assert len(images) == len(set(images)) == rows
    resumed = worker.run(task)
    assert resumed.status == 0
    assert resumed.stages["evaluating"][0] == rows
    assert found_in(tmp_path / "results") == whole


def test_the_command_itself_can_be_killed_and_interrupted(
    python: list[str], encoder_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    album = folder_set(tmp_path / "album", 20)

    def command(out: str) -> list[str]:
        protocols = ["saliency-found-v1-solver", "saliency-sod-v1", "corloc-lost-v1"]
        return ["evaluate", *protocols, "--data", f"folder:{album}", "--method", "tokencut",
                "--encoder", str(encoder_folder), "--resolution", "64", "--cache",
                str(tmp_path / "cache"), "--out", str(tmp_path / out)]  # fmt: skip

    def stop(how: int, rows: int) -> tuple[int, str]:
        journal = tmp_path / "a.json.partial.jsonl"
        process = subprocess.Popen(
            [*python, "-m", "heap", *command("a.json")], stderr=subprocess.PIPE, text=True
        )
        with process:
            while not journal.exists() or journal.read_bytes().count(b"\n") < 1 + rows:
                assert process.poll() is None
                time.sleep(0.002)
            process.send_signal(how)
            _, err = process.communicate(timeout=60)
        assert not (tmp_path / "a.json").exists()
        return process.returncode, err

    assert stop(signal.SIGKILL, 2)[0] == -signal.SIGKILL
    code, err = stop(signal.SIGINT, 4)
    assert code == 130
    assert err.splitlines()[-1] == "heap: interrupted; the same command goes on from here"
    assert "Traceback" not in err
    for out in ("a.json", "b.json"):
        monkeypatch.setattr(sys, "argv", ["heap", *command(out)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
    resumed, uninterrupted = (read_results(tmp_path / out) for out in ("a.json", "b.json"))
    assert timeless(resumed) == timeless(uninterrupted)
    assert len(resumed.rows) == 20
    assert resumed.command.endswith("a.json")

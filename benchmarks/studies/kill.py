"""SIGKILL at five moments of `heap fit` and of `heap discover`; the same command goes on each time.

Asked is whether the result is that of a run that nobody killed, byte by byte, and how much of the
work that was finished had to be done again. One of the five kills hits a checkpoint or the store
while it is being written.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import DATA, RUNS, Data, heap_command, images_in
from benchmarks.killing import Watch
from benchmarks.report import Row, about_encoder, digest
from benchmarks.study import Measured, Study
from benchmarks.tasks import Discovering, Fitting, Task
from heap.model.heap import Heap

KILLS = 5
DURING_A_WRITE = 2
"""Number of the kill that waits for a write."""
LATEST = 0.9
"""Share of the work after which no kill is aimed at: the process could end before it."""
KEPT = 0.8
"""Share of the finished work that must not be done again."""


def bench(
    *,
    data: Data = DATA,
    encoder: str = "embedded",
    layer: int | None = None,
    images: int = 60,
    steps: int = 200,
    work: Path = RUNS / "bench_kill",
    seed: int = 0,
) -> Measured:
    """Fit a head, and find objects with it, killed and not killed.

    Args:
        data: Folder with `duts-tr/tune`.
        encoder: Encoder that the head is fitted on.
        layer: Block of the encoder.
        images: Number of images.
        steps: Training steps.
        work: Folder of the models and runs; what is in it is deleted first.
        seed: Seed of the moments.
    """
    chosen = images_in(data / "duts-tr" / "tune" / "images", images)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    listing = work / "images.txt"
    listing.write_text("".join(f"{image.resolve()}\n" for image in chosen))
    moments = np.random.default_rng(seed)
    options = ["--encoder", encoder, "--steps", str(steps)]
    options += [] if layer is None else ["--layer", str(layer)]

    def fitting(name: str) -> Fitting:
        model, cache = work / f"model-{name}", work / f"cache-{name}"
        command = heap_command("fit", listing, "--out", model, "--cache", cache, *options)
        return Fitting(command, model, len(chosen), cache, steps)

    def discovering(name: str) -> Discovering:
        model, run = work / "model-whole", work / f"run-{name}"
        command = heap_command("discover", listing, "--model", model, "--out", run)
        return Discovering(command, run, len(chosen))

    rows = [
        *compare("fit", fitting("whole"), fitting("killed"), moments),
        *compare("discover", discovering("whole"), discovering("killed"), moments),
    ]
    return Measured(
        data={"set": "duts-tr/tune", "images": len(chosen), "sha256": digest(chosen)},
        encoder=about_encoder(Heap.from_pretrained(work / "model-whole")),
        rows=rows,
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """For each command: are the results the same, and which share of the work was kept?"""
    summary = {}
    for command in ("fit", "discover"):
        mine = [row for row in rows if row["command"] == command]
        kills = [row for row in mine if "finished" in row]
        finished, redone = (sum(row[name] for row in kills) for name in ("finished", "redone"))
        kept = 1 - redone / finished if finished else 0.0
        identical = all(row["identical"] for row in mine if "identical" in row)
        summary[command] = {
            "kills": len(kills),
            "during_a_write": sum(row["during_a_write"] for row in kills),
            "identical": identical,
            "finished": finished,
            "redone": redone,
            "kept": kept,
            "passed": identical and len(kills) == KILLS and kept >= KEPT,
        }
    return summary


def compare(command: str, whole: Task, killed: Task, moments: np.random.Generator) -> list[Row]:
    """Let one task end, kill the other one again and again, and compare what they leave."""
    with Watch(whole) as watch:
        rate = watch.end()
    rows: list[Row] = []
    places = sorted(moments.uniform(0, LATEST * whole.units, KILLS).tolist())
    for number, place in enumerate(places):
        with Watch(killed, rate) as watch:
            watch.wait_for(place)
            during = number == DURING_A_WRITE and watch.wait_for_write()
            if watch.kill():
                stored = killed.stored()
                finished = max(watch.finished(), stored)
                rows.append(
                    {
                        "command": command,
                        "kill": number + 1,
                        "during_a_write": during,
                        "aimed_at": place,
                        "finished": finished,
                        "redone": finished - stored,
                        "of": killed.units,
                    }
                )
    with Watch(killed, rate) as watch:
        watch.end()
    for mine, theirs in zip(whole.results(), killed.results(), strict=True):
        same = mine.read_bytes() == theirs.read_bytes()
        rows.append({"command": command, "file": mine.name, "identical": same})
    return rows


STUDY = Study("kill-v1", bench, summarise)

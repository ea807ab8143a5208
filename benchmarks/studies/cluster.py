"""`heap discover --engine ray`: do two workers do twice the work of one, and does memory stay?

Links to a few photos stand for many. Each number of workers works on fewer and on more of them: the
difference is the rate, without what is done once per run, and shows whether memory grows.
"""

import json
import shutil
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

import psutil

from benchmarks.common import RUNS, images_in, one_thread, run_heap
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.study import Measured, Study
from heap.model.heap import Heap

PHOTOS = Path("demo/photos")
WORKERS = (1, 2)
GOAL = 1.8
"""Least ratio of the rate of two workers to that of one, where each has a core of its own."""


def bench(
    *,
    model: str = "embedded",
    links: int = 300,
    times: int = 4,
    repeats: int = 3,
    work: Path = RUNS / "bench_cluster",
) -> Measured:
    """Measure each number of workers, on this machine alone.

    Args:
        model: Model whose work is spread.
        links: Links to photos that the shorter runs work on.
        times: How many times as many the longer ones do.
        repeats: How often each is run.
        work: Folder of the links and runs; what is in it is deleted first.
    """
    shutil.rmtree(work, ignore_errors=True)
    # Copied first, because hard links stay on one disk.
    shutil.copytree(PHOTOS, work / "photos")
    photos = images_in(work / "photos")
    rows: list[Row] = []
    # In turns, so that whatever else the machine does falls on all of them.
    for repeat in range(repeats):
        for count in (links, links * times):
            folder = _link(photos, count, work / f"links-{count}")
            for workers in WORKERS:
                shutil.rmtree(work / "run", ignore_errors=True)
                with _Memory() as memory:
                    taken = run_heap(
                        *("discover", folder, "--model", model, "--out", work / "run"),
                        *("--engine", "ray", "--workers", str(workers), "--empty-save", "--json"),
                        environment=one_thread(),
                    )
                said = json.loads(taken.output)
                rows.append(
                    {
                        "workers": workers,
                        "images": count,
                        "repeat": repeat,
                        "failed": said["failed"],
                        "seconds": count / said["images_per_second"],
                        "driver_mb": taken.peak_mb,
                        "worker_mb": memory.peak_mb,
                    }
                )
    return Measured(
        data=about_data("links to the demo photos", photos),
        encoder=about_encoder(Heap.from_pretrained(model)),
        rows=rows,
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Median rate of each number of workers, their ratio, and memory by the number of images."""
    fewer, more = min(row["images"] for row in rows), max(row["images"] for row in rows)
    rates = {
        workers: (more - fewer) / (_median(rows, workers, more) - _median(rows, workers, fewer))
        for workers in WORKERS
    }
    ratio = rates[WORKERS[1]] / rates[WORKERS[0]]
    return {
        "images_per_second": {str(workers): rate for workers, rate in rates.items()},
        "ratio": ratio,
        "passed": ratio >= GOAL,
        **{
            name: {
                str(count): max(row[name] for row in rows if row["images"] == count)
                for count in (fewer, more)
            }
            for name in ("driver_mb", "worker_mb")
        },
        "failed": sum(row["failed"] for row in rows),
    }


class _Memory:
    """Largest resident memory of a worker within a block, in 10^6 bytes, looked at every second."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._ended = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            for process in psutil.process_iter(["cmdline", "memory_info"]):
                if "".join(process.info["cmdline"] or []).startswith("ray::MapWorker"):
                    size = process.info["memory_info"]
                    self.peak_mb = max(self.peak_mb, size.rss / 1e6 if size else 0.0)


def _median(rows: list[Row], workers: int, images: int) -> float:
    seconds: list[float] = [
        row["seconds"] for row in rows if (row["workers"], row["images"]) == (workers, images)
    ]
    return median(seconds)


def _link(photos: list[Path], count: int, folder: Path) -> Path:
    """Folder of so many hard links to the photos, in turns; others to one file are taken once."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        photo = photos[number % len(photos)]
        link = folder / f"{number:07d}{photo.suffix}"
        if not link.exists():
            link.hardlink_to(photo)
    return folder


STUDY = Study("cluster-v1", bench, summarise)

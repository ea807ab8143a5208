"""`heap discover --engine ray`: do two workers do twice the work of one, and does memory stay?

Links to a few photos stand for many. Each number of workers works on fewer and on more of them: the
difference is the rate, without what is done once per run, and shows whether memory grows. Where
other programs share the cores, the time by the clock says little; so does the processor time of an
image, in a worker and in the driver, say what two workers with a core each would do.
"""

import shutil
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cluster_processes import Driver, Machines
from benchmarks.common import RUNS, images_in
from benchmarks.links import link_photos
from benchmarks.report import Row, about_encoder, digest
from benchmarks.soak.rows import Rows
from benchmarks.study import Measured, Study
from heap.base.errors import InputError
from heap.model.heap import Heap
from heap.store.store import RunStore

PHOTOS = Path("demo/photos")
WORKERS = (1, 2)
GOAL = 1.7
"""Least ratio of the rate of two workers to that of one, where each has a core of its own."""
ROLES = ("driver", "worker", "ray")


def bench(
    *,
    model: str = "embedded-small",
    links: int = 100,
    times: int = 4,
    repeats: int = 2,
    work: Path = RUNS / "bench_cluster",
) -> Measured:
    """Measure each number of workers, on this machine alone; goes on where it was stopped.

    Args:
        model: Model whose work is spread.
        links: Links to photos that the shorter runs work on.
        times: How many times as many the longer ones do.
        repeats: How often each is run.
        work: Folder of the links and runs; delete it to begin anew.
    """
    photos, rows = images_in(PHOTOS), Rows(work / "rows.jsonl")
    # In turns, so that whatever else the machine does falls on all of them.
    wanted = [
        {"repeat": repeat, "images": count, "workers": workers}
        for repeat in range(repeats)
        for count in (links, links * times)
        for workers in WORKERS
    ]
    done = [{name: row[name] for name in ("repeat", "images", "workers")} for row in rows.all]
    with Machines(max(WORKERS)) as machines:
        for settings in wanted:
            if settings not in done:
                count, workers = settings["images"], settings["workers"]
                folder = link_photos(photos, count, work / f"links-{count}")
                rows.add(settings | _run(machines, folder, work / "run", model, workers))
    return Measured(
        data={
            "set": "links to the demo photos",
            "images": len(photos),
            "sha256": digest(photos),
        },
        encoder=about_encoder(Heap.from_pretrained(model)),
        rows=rows.all,
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Rates and processor time of an image by the number of workers, and memory by the images."""
    fewer, more = min(row["images"] for row in rows), max(row["images"] for row in rows)

    def of_an_image(workers: int, name: str) -> float:
        """Median of the longer runs less that of the shorter ones, by image."""
        longer, shorter = (
            median(row[name] for row in rows if (row["workers"], row["images"]) == (workers, count))
            for count in (more, fewer)
        )
        return float((longer - shorter) / (more - fewer))

    few, many = WORKERS
    rates = {str(workers): 1 / of_an_image(workers, "seconds") for workers in WORKERS}
    cpu = {
        str(workers): {role: 1000 * of_an_image(workers, f"{role}_cpu") for role in ROLES}
        for workers in WORKERS
    }
    # The driver and Ray have cores of their own, and limit where they take longer than workers.
    ratio = cpu[str(few)]["worker"] / max(
        cpu[str(many)]["worker"] / many, cpu[str(many)]["driver"], cpu[str(many)]["ray"]
    )
    return {
        "images_per_second": rates,
        "ratio_by_clock": rates[str(many)] / rates[str(few)],
        "cpu_ms_per_image": cpu,
        "ratio_by_processor": ratio,
        "passed": ratio >= GOAL,
        **{
            f"{role}_mb": {
                str(count): max(row[f"{role}_mb"] for row in rows if row["images"] == count)
                for count in (fewer, more)
            }
            for role in ("driver", "worker")
        },
        "failed": sum(row["failed"] for row in rows),
    }


def _run(machines: Machines, images: Path, run: Path, model: str, workers: int) -> Row:
    """Discover once, with as many workers."""
    shutil.rmtree(run, ignore_errors=True)
    with Driver(machines, images, run, model, {"save": []}, workers) as driver:
        if (ended := driver.end()) != "whole":
            raise InputError(f"the driver failed: {ended}")
    return {
        "failed": RunStore.open(run).counts().failed,
        "seconds": driver.seconds,
        **{f"{role}_cpu": driver.cpu_seconds.get(role, 0.0) for role in ROLES},
        **{f"{role}_mb": driver.peak_mb[role] for role in ("driver", "worker")},
    }


STUDY = Study("cluster-v1", bench, summarise)

"""Processor time of commands that do next to nothing: what their imports cost.

Another state of the code is measured beside it with `--before`, the folder of its sources.
"""

import shutil
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import RUNS, one_thread, run_heap
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.study import Measured, Study
from heap.model.heap import Heap
from heap.store.store import RunStore

MODEL = "embedded-small"
PHOTOS = Path("demo/photos")
LIMITS = {
    "heap --help": 0.5,
    "heap models": 0.5,
    "heap search": 1.5,
    "heap categories": 1.5,
    "heap inspect": 1.5,
    "heap discover": 4.0,
}
"""Seconds of processor time that a command may take."""


def bench(
    *,
    before: Path | None = None,
    repeats: int = 5,
    work: Path = RUNS / "bench_start",
) -> Measured:
    """Measure each command, alone and with one thread.

    Args:
        before: Folder of other sources of the package, such as `src` of an earlier commit.
        repeats: How often each command is run.
        work: Folder of the runs; what is in it is deleted first.
    """
    shutil.rmtree(work, ignore_errors=True)
    run, fresh = work / "run", work / "fresh"
    _measure(["discover", PHOTOS, "--encoder", MODEL, "--out", run])
    with_objects = (result for result in RunStore.open(run).results() if len(result.objects))
    wanted = f"{next(with_objects).key}#0"
    photo = min(PHOTOS.iterdir())
    commands: dict[str, list[str | Path]] = {
        "heap --help": ["--help"],
        "heap models": ["models"],
        "heap search": ["search", run, "--object", wanted],
        "heap categories": ["categories", run],
        "heap inspect": ["inspect", run],
        "heap discover": ["discover", photo, "--encoder", MODEL, "--out", fresh],
    }
    # The first call makes the categories, and writes the gallery again.
    _measure(["categories", run])
    states = {"now": None} if before is None else {"before": before, "now": None}
    rows: list[Row] = []
    # In turns, so that whatever else the machine does falls on all of them.
    for number in range(repeats):
        for name, arguments in commands.items():
            for state, sources in states.items():
                shutil.rmtree(fresh, ignore_errors=True)
                seconds = _measure(arguments, sources)
                row = {"command": name, "state": state, "repeat": number, "cpu_seconds": seconds}
                rows.append(row)
    return Measured(
        data=about_data("demo photos", [photo]),
        encoder=about_encoder(Heap.from_pretrained(MODEL)),
        rows=rows,
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Least and median processor time of each command, and whether the least is within its limit.

    The least is the one that other work on the machine has disturbed least.
    """
    summary: dict[str, Any] = {}
    for command, limit in LIMITS.items():
        seconds = {
            state: [row["cpu_seconds"] for row in rows if (row["command"], row["state"]) == key]
            for state in ("before", "now")
            if (key := (command, state))
        }
        summary[command] = {
            state: {"least": min(taken), "median": median(taken)}
            for state, taken in seconds.items()
            if taken
        } | {"limit": limit, "passed": min(seconds["now"]) <= limit}
    return summary


def _measure(arguments: list[str | Path], sources: Path | None = None) -> float:
    """Processor time of a command and its children, user and system; with one thread.

    Raises:
        InputError: if it fails.
    """
    environment = one_thread(sources)
    # Installed packages are compiled. Without this, sources of a checkout would be at every start.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return run_heap(*arguments, environment=environment).cpu_seconds


STUDY = Study("start-v2", bench, summarise)

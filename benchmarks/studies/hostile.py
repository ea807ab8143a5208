"""Ten broken, odd or hostile files among twenty good ones: good ones done, bad ones named."""

import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.common import RUNS, run_heap
from benchmarks.hostile_files import write_folder
from benchmarks.report import Row, about_encoder
from benchmarks.study import Measured, Study
from heap.model.heap import Heap
from heap.store.store import RunStore


def bench(*, model: str = "embedded", work: Path = RUNS / "bench_hostile") -> Measured:
    """Run `heap discover` on the folder.

    Args:
        model: "embedded", or a folder that `heap fit` has written.
        work: Folder of the images and the run; what is in it is deleted first.
    """
    shutil.rmtree(work, ignore_errors=True)
    kinds = write_folder(work / "images")
    arguments = ("--out", work / "run", "--model", model, "--json")
    child = run_heap("discover", work / "images", *arguments)
    store = RunStore.open(work / "run")
    reasons = {failure.key: f"{failure.stage}: {failure.reason}" for failure in store.failures()}
    objects = {result.key: len(result.objects) for result in store.results()}
    rows: list[Row] = [
        {
            "file": name,
            "kind": kind,
            "status": "failed" if name in reasons else "done" if name in objects else "missing",
            "objects": objects.get(name),
            "reason": reasons.get(name),
        }
        for name, kind in sorted(kinds.items())
    ]
    return Measured(
        data={"set": "demo photos and files made by the script", "images": len(rows)},
        encoder=about_encoder(Heap.from_pretrained(model)),
        rows=rows,
        figures={
            "counts": {
                key: value for key, value in json.loads(child.output).items() if key != "run"
            },
            "seconds": child.seconds,
            "peak_rss_mb": child.peak_mb,
        },
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Numbers of good files that are done, and of bad ones that are listed with a reason."""
    good = [row for row in rows if row["kind"] == "good"]
    bad = [row for row in rows if row["kind"] != "good"]
    done = sum(row["status"] == "done" for row in good)
    listed = sum(row["status"] == "failed" and bool(row["reason"]) for row in bad)
    return {
        "good": len(good),
        "good_done": done,
        "bad": len(bad),
        "bad_listed": listed,
        "passed": done == len(good) and listed == len(bad),
    }


STUDY = Study("hostile-v1", bench, summarise)

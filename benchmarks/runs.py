"""Runs of `heap discover` that are measured."""

import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.common import once, run_heap
from heap.base.errors import InputError


def discover(name: str, model: str, folder: Path, work: Path, count: int) -> dict[str, Any]:
    """Run `heap discover` in a process of its own; its counts, time and memory."""

    def measure() -> dict[str, Any]:
        # The rest of an interrupted run would make the time of this one too short.
        shutil.rmtree(work / name, ignore_errors=True)
        arguments = ("--out", work / name, "--model", model, "--limit", str(count), "--json")
        child = run_heap("discover", folder / "images", *arguments)
        counts = json.loads(child.output)
        del counts["run"]
        return {**counts, "seconds": child.seconds, "peak_rss_mb": child.peak_mb}

    summary: dict[str, Any] = once(work / f"{name}.json", measure)
    if summary["done"] + summary["empty"] != count:
        failed = work / name / "failed.jsonl"
        raise InputError(f"not all of the {count} images could be used: see {failed}")
    return summary

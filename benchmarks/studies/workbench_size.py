"""`heap serve` of 50,000 objects in a real browser: is anything slow, and how large is the page?"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import heap
from benchmarks.browsing import Act, browser_version, longest_tasks, measure_steps
from benchmarks.common import RUNS
from benchmarks.many_objects import make_records, write_records
from benchmarks.report import NO_ENCODER, Row
from benchmarks.serving import serving
from benchmarks.study import Measured, Study
from benchmarks.synthetic_objects import clustered
from heap.categories.sorting import sort_objects
from heap.store.editing import Editor
from heap.store.records import Finished

if TYPE_CHECKING:
    from playwright.sync_api import Page

_LIMITS = {"longest_cpu_ms": 100, "first_paint_ms": 1000, "page_mb": 500}
_DIM, _PICTURES = 64, 50


def bench(
    *,
    objects: int = 50_000,
    repeats: int = 3,
    work: Path = RUNS / "bench_workbench_size",
) -> Measured:
    """Make a run, draw its map, serve it, and use it in Chromium.

    Args:
        objects: How many the run has; there are two images for every five.
        repeats: How often all of it is done, each time in a fresh browser.
        work: Folder of the run; one that is there is used again.
    """
    run = work / f"objects{objects}"
    if not (run / "gallery.html").exists():
        shutil.rmtree(run, ignore_errors=True)
        _make_run(run, objects)
    figures: dict[str, Any] = {"browser": browser_version()}
    began = time.process_time()
    heap.open(run).map(again=True, keep=False)
    figures["cpu_seconds_of_the_map"] = time.process_time() - began
    with serving(run) as served:
        load = _load(served.address)
        rows = [row for at in range(repeats) for row in measure_steps(load, _STEPS, at)]
    counts = heap.open(run).store.counts()
    return Measured(
        data={
            "set": "crops of the demo photos, masks made by the script, embeddings by chance",
            "images": counts.done + counts.empty,
            "objects": counts.objects,
        },
        encoder=NO_ENCODER,
        rows=rows,
        figures=figures | {"load": os.getloadavg()[0]},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Largest of each measure over all repeats, and the longest tasks of each step."""
    tasks = longest_tasks(rows)
    after = {step: ms for step, ms in tasks["longest_cpu_ms"].items() if step != "load"}
    most = {
        "longest_cpu_ms": max(after.values()),
        "first_paint_ms": max(row["first_paint_ms"] for row in rows if row["step"] == "load"),
        "page_mb": max(row["page_mb"] for row in rows),
    }
    passed = {f"{name}_passed": value < _LIMITS[name] for name, value in most.items()}
    return most | passed | {"after_loading": most["longest_cpu_ms"], "tasks": tasks}


def _make_run(run: Path, objects: int) -> None:
    """Write the run, sort its objects, and draw its map."""
    write_records(run, _records(objects))
    with Editor(run) as editor:
        sort_objects(editor, 60)
    heap.open(run).map()


def _records(objects: int) -> Iterator[Finished]:
    """Pictures of a few made-up images, again and again under other names."""
    random, pictures = np.random.default_rng(0), make_records(_PICTURES)
    vectors = clustered(objects, _DIM, np.random.default_rng(1))
    start = 0
    for number in count():
        record = pictures[number % _PICTURES]
        end = start + len(record.result.objects)
        if end > objects:
            return
        shown = replace(
            record.result.objects,
            embeddings=vectors[start:end],
            scores=np.sort(random.random(end - start, dtype=np.float32))[::-1].copy(),
        )
        key = f"{number % 20:02d}/photo {number:05d}.jpg"
        yield replace(record, result=replace(record.result, key=key, objects=shown))
        start = end


def _load(address: str) -> Act:
    def act(page: "Page") -> None:
        page.goto(f"{address}/#/categories")
        page.locator(".tile .photo").first.wait_for(timeout=120_000)

    return act


def _click(name: str) -> Act:
    return lambda page: page.get_by_role("link", name=name, exact=True).first.click()


def _map(page: "Page") -> None:
    _click("Map")(page)
    page.locator(".legend .entry").first.wait_for(timeout=120_000)
    page.wait_for_timeout(1000)


def _wheel(page: "Page") -> None:
    page.mouse.move(500, 500)
    for turn in range(60):
        page.mouse.wheel(0, -40 if turn < 30 else 40)
        page.wait_for_timeout(16)


def _drag(page: "Page") -> None:
    page.mouse.move(500, 400)
    page.mouse.down()
    page.mouse.move(800, 600, steps=30)
    page.mouse.up()
    page.mouse.move(300, 300, steps=30)


def _lasso(page: "Page") -> None:
    page.keyboard.down("Shift")
    page.mouse.move(300, 250)
    page.mouse.down()
    for x, y in ((900, 250), (900, 800), (300, 800)):
        page.mouse.move(x, y, steps=10)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.wait_for_timeout(500)
    page.keyboard.press("Escape")


def _colour(page: "Page") -> None:
    for name in ("score", "folder", "category"):
        page.get_by_label("Colours", exact=True).first.select_option(name)
        page.wait_for_timeout(300)


def _filter(page: "Page") -> None:
    for word in ("1", "12", ""):
        page.fill(".filter", word)
        page.wait_for_timeout(500)


def _histograms(page: "Page") -> None:
    page.get_by_role("button", name="Filters").click()
    for value in ("20", "50", "0"):
        page.get_by_label("Least score").fill(value)
        page.wait_for_timeout(500)
    page.get_by_role("button", name="Filters").click()


def _grid(page: "Page") -> None:
    page.locator(".all").first.click()
    page.locator(".tile").first.wait_for()
    page.mouse.move(700, 500)
    for _ in range(60):
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(16)


def _select(page: "Page") -> None:
    page.locator(".tile a").first.focus()
    page.keyboard.press("Control+a")
    page.wait_for_timeout(500)
    page.keyboard.press("Escape")


def _scroll(page: "Page") -> None:
    page.mouse.move(700, 500)
    for turn in range(80):
        page.mouse.wheel(0, 600 if turn < 40 else -600)
        page.wait_for_timeout(16)


_STEPS: dict[str, Act] = {
    "map": _map,
    "enlarge the map": _wheel,
    "move the map": _drag,
    "lasso": _lasso,
    "colours": _colour,
    "filter the map": _filter,
    "histograms": _histograms,
    "images": _click("Images"),
    "scroll images": _scroll,
    "filter images": _filter,
    "categories": _click("Categories"),
    "filter categories": _filter,
    "scroll categories": _scroll,
    "grid": _grid,
    "select all of a category": _select,
}

STUDY = Study("workbench-size-v1", bench, summarise)

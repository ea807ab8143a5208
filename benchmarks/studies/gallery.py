"""The gallery of 5,000 objects in a real browser: is anything ever slow to answer?"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.browsing import Act, browser_version, longest_tasks, measure_steps
from benchmarks.common import RUNS
from benchmarks.many_objects import make_run
from benchmarks.report import NO_ENCODER, Row
from benchmarks.study import Measured, Study
from heap.store.store import RunStore
from heap.view.gallery import GALLERY, write_gallery

if TYPE_CHECKING:
    from playwright.sync_api import Page

_LIMIT = 100
"""Milliseconds of processor time that no task may take while scrolling."""
_AT_THE_END = "scrollY + innerHeight >= document.documentElement.scrollHeight - 2"


def bench(
    *,
    objects: int = 5000,
    repeats: int = 3,
    work: Path = RUNS / "bench_gallery",
) -> Measured:
    """Make a run, write its gallery, and use it in Chromium.

    Args:
        objects: How many the run has; there are two images for every five.
        repeats: How often all of it is done, each time in a fresh browser.
        work: Folder of the run; one that is there is used again.
    """
    run = work / f"objects{objects}"
    if not run.exists():
        make_run(run, objects)
    store, page = RunStore.open(run), run / GALLERY
    began, before = time.monotonic(), time.process_time()
    write_gallery(store, page)
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - before
    rows = [row for repeat in range(repeats) for row in measure_steps(_load(page), _STEPS, repeat)]
    counts = store.counts()
    return Measured(
        data={
            "set": "crops of the demo photos, masks made by the script",
            "images": counts.done + counts.empty,
            "objects": counts.objects,
        },
        encoder=NO_ENCODER,
        rows=rows,
        figures={
            "page_mb": page.stat().st_size / 1e6,
            "seconds_to_write": seconds,
            "cpu_seconds_to_write": cpu_seconds,
            "browser": browser_version(),
            "load": os.getloadavg()[0],
        },
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """The longest task of each step over all repeats, by the clock and by processor time."""
    longest = longest_tasks(rows)
    scrolling = {
        f"{kind}_scrolling": max(ms for step, ms in of.items() if step.startswith("scroll"))
        for kind, of in longest.items()
    }
    loads = sorted(row["seconds"] for row in rows if row["step"] == "load")
    return {
        **scrolling,
        "load_seconds": loads[len(loads) // 2],
        **longest,
        "passed": scrolling["longest_cpu_ms_scrolling"] < _LIMIT,
    }


def _load(path: Path) -> Act:
    def act(page: "Page") -> None:
        page.goto(f"{path.resolve().as_uri()}#/images")
        page.wait_for_selector(".photo", state="attached")

    return act


def _scroll(across: int, down: int, enough: str, most: int = 1000) -> Act:
    """By turning the wheel sixty times a second until the page says that it is enough."""

    def act(page: "Page") -> None:
        page.mouse.move(700, 500)
        for turn in range(most):
            page.mouse.wheel(across, down)
            page.wait_for_timeout(16)
            if turn % 20 == 0 and page.evaluate(enough):
                return

    return act


def _choose(*values: str) -> Act:
    def act(page: "Page") -> None:
        for value in values:
            page.select_option("main select", value)
            page.wait_for_timeout(300)

    return act


def _filter(*words: str) -> Act:
    def act(page: "Page") -> None:
        for word in words:
            page.fill(".filter", word)
            page.wait_for_timeout(300)

    return act


def _tabs(page: "Page") -> None:
    for name in ("No object", "Low confidence", "Failed", "All"):
        page.get_by_role("button", name=name).click()
        page.wait_for_timeout(300)


_END_OF_STRIP = (
    "(() => { const row = document.querySelector('.row');"
    " return row.scrollLeft + row.clientWidth >= row.scrollWidth - 2; })()"
)
_STEPS: dict[str, Act] = {
    "scroll images": _scroll(0, 600, _AT_THE_END),
    "scroll images back": _scroll(0, -1200, "scrollY === 0"),
    "sort images": _choose("-score", "objects", "name"),
    "filter images": _filter("1", "12", "first", ""),
    "tabs": _tabs,
    "categories": lambda page: page.click("nav [data-view=categories]"),
    "scroll categories": _scroll(0, 100, _AT_THE_END),
    "scroll categories back": _scroll(0, -600, "scrollY === 0"),
    "scroll a strip": _scroll(200, 0, _END_OF_STRIP),
    "sort categories": _choose("-score", "score", "similarity"),
    "filter categories": _filter("1", "12", "first", ""),
    "images": lambda page: page.click("nav [data-view=images]"),
}


STUDY = Study("gallery-v1", bench, summarise)

"""The Chromium of the system, driven by playwright, and what its traces say of a page."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.report import Row, rows_by
from heap.base.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Act = Callable[["Page"], object]
"""Something that is done at a page."""

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_TASK, _THREAD = "ThreadControllerImpl::RunTask", "CrRendererMain"
"""Names in Chromium's traces of a task, and of the thread that must be free to answer."""
_PAINT = "performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)[0]"


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Start the browser of the system, or the one that `CHROMIUM` names.

    Raises:
        InputError: if it or what drives it is missing.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise InputError(f"playwright is missing; pip install 'heap[dev]' ({error})") from error
    browser_path = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, _BROWSERS)), None
    )
    if browser_path is None:
        raise InputError("there is no Chromium here; install one, or name it in CHROMIUM")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=browser_path, args=options)
        yield browser
        browser.close()


def browser_version() -> str:
    """Name and version of the browser."""
    with chromium() as browser:
        return f"Chromium {browser.version}"


def measure_steps(load: Act, steps: Mapping[str, Act], repeat: int) -> Iterator[Row]:
    """Load a page in a fresh browser, take steps at it one after the other; a row for each."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        for step, act in {"load": load, **steps}.items():
            browser.start_tracing(page=page, categories=["toplevel"])
            began = time.monotonic()
            act(page)
            seconds = time.monotonic() - began
            page.wait_for_timeout(500)
            tasks = _tasks(browser.stop_tracing())
            metrics = session.send("Performance.getMetrics")["metrics"]
            memory = {metric["name"]: metric["value"] for metric in metrics}["JSHeapUsedSize"]
            yield {
                "step": step,
                "repeat": repeat,
                "seconds": seconds,
                "longest_ms": max(wall for wall, _ in tasks),
                "longest_cpu_ms": max(cpu for _, cpu in tasks),
                "over_50_ms": sum(wall > 50 for wall, _ in tasks),
                "page_mb": memory / 1e6,
                **({"first_paint_ms": page.evaluate(_PAINT)} if step == "load" else {}),
            }


def longest_tasks(rows: list[Row]) -> dict[str, dict[str, float]]:
    """The longest task of each step over all repeats, by the clock and by processor time."""
    return {
        kind: {step: max(row[kind] for row in of) for step, of in rows_by(rows, "step").items()}
        for kind in ("longest_ms", "longest_cpu_ms")
    }


def _tasks(trace: bytes) -> list[tuple[float, float]]:
    """Cost of every task of the page, in milliseconds by the clock and of processor time."""
    events = json.loads(trace)["traceEvents"]
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == _THREAD
    }
    return [
        (event["dur"] / 1000, event["tdur"] / 1000)
        for event in events
        if event["name"] == _TASK and (event["pid"], event["tid"]) in threads and "tdur" in event
    ]

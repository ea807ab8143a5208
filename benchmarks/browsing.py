"""The Chromium of the system, driven by playwright, and what its traces say of a page."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from heap.base.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_TASK, _THREAD = "ThreadControllerImpl::RunTask", "CrRendererMain"
"""Names in Chromium's traces of a task, and of the thread that must be free to answer."""


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


def tasks_in(trace: bytes) -> list[tuple[float, float]]:
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

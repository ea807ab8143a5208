"""A real Chromium, driven by playwright; without one these tests fail."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from servers import serving

from .opening import Serve, served

# Machines of CI do other things too; what never comes still fails.
expect.set_options(timeout=60_000)
Run = Callable[..., subprocess.CompletedProcess[str]]
Once = Callable[[str, Callable[[Path], object]], Path]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PHOTOS = Path(__file__).parents[2] / "demo" / "photos"
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of the system; `CHROMIUM` names another one."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.fail("there is no Chromium here; install one (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; whatever its console or its scripts complain of fails the test."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None,
    )
    yield page
    context.close()
    assert not complaints


@pytest.fixture(scope="session")
def demo_run(once: Once, run_heap: Run) -> Path:
    """A run of the demo photos with four categories; not to be changed: copy it to edit it."""

    def make(folder: Path) -> None:
        for command in (
            ("discover", PHOTOS, "--out", folder / "demo"),
            ("categories", folder / "demo", "--k", 4, "--name", "1=animals"),
        ):
            done = run_heap(*command)
            assert done.returncode == 0, done.stderr

    return once("demo", make) / "demo"


@pytest.fixture(scope="session")
def serve(python: list[str]) -> Serve:
    return partial(serving, python=python)


@pytest.fixture
def run(demo_run: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(demo_run, tmp_path / "holiday photos"))


@pytest.fixture
def address(run: Path, page: Page, serve: Serve) -> Iterator[str]:
    with served(page, serve(run)) as address:
        yield address

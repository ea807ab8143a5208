"""Pages of the application, opened and clicked in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from servers import serving


@contextmanager
def served(page: Page, run: Path, *options: str) -> Iterator[str]:
    """The address of a run, which the page leaves before it is no longer served."""
    with serving(run, *options) as address:
        yield address
        page.goto("about:blank")


def open_page(page: Page, address: str, view: str = "") -> None:
    page.goto(f"{address}/{view}")
    expect(page.locator("#name")).not_to_be_empty()


def choose(page: Page, part: Locator) -> None:
    part.hover()
    part.locator(".choose input").first.check()

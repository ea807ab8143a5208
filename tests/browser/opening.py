"""Pages of the application, opened and clicked in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from playwright.sync_api import Locator, Page, expect

Serve = Callable[..., AbstractContextManager[str]]
"""Serves a run, with options of `heap serve`, and gives its address."""


@contextmanager
def served(page: Page, server: AbstractContextManager[str]) -> Iterator[str]:
    """The address of a run, which the page leaves before it is no longer served."""
    with server as address:
        yield address
        page.goto("about:blank")


def open_page(page: Page, address: str, view: str = "") -> None:
    page.goto(f"{address}/{view}")
    expect(page.locator("#name")).not_to_be_empty()


def choose(page: Page, part: Locator) -> None:
    part.hover()
    part.locator(".choose input").first.check()

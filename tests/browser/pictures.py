"""Pictures of the documentation, taken by the tests of what they show."""

from pathlib import Path

from playwright.sync_api import Page, expect

IMAGES = Path(__file__).parents[2] / "docs" / "images"
ALL_DECODED = """() => Promise.all([...document.images].filter((image) => image.checkVisibility()
  && image.getBoundingClientRect().top < innerHeight).map((image) => image.decode()))"""


def take_picture(page: Page, name: str) -> None:
    """A picture of what is in view, when all of it has come."""
    page.wait_for_load_state("networkidle")
    expect(page.locator(".bed .stage:empty")).to_have_count(0)
    page.evaluate(ALL_DECODED)
    page.screenshot(path=IMAGES / f"{name}.jpg", type="jpeg", quality=82)

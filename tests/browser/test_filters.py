"""Histograms, choices and kept filters, in a browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import heap
from heap.categories.inspection import inspect
from heap.store.store import RunStore

from .opening import open_page
from .pictures import take_picture


@pytest.fixture
def filters(page: Page, address: str) -> Page:
    """All objects of category 1 to 4, with the filters open."""
    open_page(page, address, "#/categories")
    page.get_by_role("button", name="Filters").click()
    return page


def count_of(run: Path, condition: str) -> int:
    return len(heap.open(run).objects.to_pandas(condition))


def test_the_histogram_of_scores_narrows(filters: Page, run: Path) -> None:
    status = filters.locator("main > [role=status]")
    heights = filters.locator("[data-range=score] .bars span").evaluate_all(
        "bars => bars.map((bar) => parseFloat(bar.style.height))"
    )
    scores = heap.open(run).objects.to_pandas()["score"]
    assert [height > 0 for height in heights] == [
        ((scores * 32).astype(int) == at).any() for at in range(32)
    ]
    filters.get_by_label("Least score").fill("30")
    kept = count_of(run, "score >= 0.3")
    assert 0 < kept < 17
    expect(status).to_contain_text(f"{kept} of 17 objects")
    expect(filters).to_have_url(re.compile("score=0.3-1"))
    off = filters.locator("[data-range=score] .bars .off")
    expect(off).to_have_count(9)  # those that end below 0.3
    filters.get_by_label("Least score").press("Home")
    expect(status).to_contain_text("17 objects")
    expect(filters).not_to_have_url(re.compile("score"))


def test_sizes_and_numbers_of_objects(filters: Page, run: Path) -> None:
    table = heap.open(run).objects.to_pandas()
    several = table["key"].map(table["key"].value_counts()) >= 2
    filters.get_by_label("Least objects in the image").fill("2")
    status = filters.locator("main > [role=status]")
    expect(status).to_contain_text(f"{several.sum()} of 17 objects")
    filters.keyboard.press("i")
    filters.get_by_role("link", name="Images").click()
    expect(filters.locator("main > [role=status]")).to_contain_text(
        f"{table['key'][several].nunique()} of 17 images"
    )
    filters.get_by_role("button", name="Show everything").click()
    expect(filters.locator("main > [role=status]")).to_have_text("17 images")
    filters.get_by_label("Most size").fill("50")  # its root: a quarter of the image
    sizes = {image.key: image.width * image.height for image in heap.open(run).results()}
    share = (table["x2"] - table["x1"]) * (table["y2"] - table["y1"]) / table["key"].map(sizes)
    expect(filters.locator("main > [role=status]")).to_contain_text(
        f"{table['key'][share <= 0.25].nunique()} of 17 images"
    )
    assert "size=0-0.25" in filters.url


def test_a_filter_is_kept_under_a_name(filters: Page, run: Path) -> None:
    filters.get_by_label("Only in category").select_option("1")
    filters.get_by_label("Least score").fill("20")
    kept = count_of(run, "category = 1 AND score >= 0.2")
    status = filters.locator("main > [role=status]")
    expect(status).to_contain_text(f"{kept} of 17 objects")
    filters.get_by_label("Least score").blur()
    filters.get_by_label("Name of this filter").fill("sure animals")
    filters.keyboard.press("Enter")
    chip = filters.get_by_role("button", name="sure animals", exact=True)
    expect(chip).to_have_attribute("aria-pressed", "true")
    filters.get_by_role("button", name="Show everything").click()
    expect(status).to_contain_text("17 objects")
    filters.reload()
    filters.get_by_role("button", name="Filters").click()
    chip.click()
    expect(status).to_contain_text(f"{kept} of 17 objects")
    take_picture(filters, "serve-filters")
    filters.get_by_role("button", name="Forget “sure animals”").click()
    expect(chip).to_have_count(0)


def test_unusual_objects_are_those_that_inspect_names(filters: Page, run: Path) -> None:
    unusual = [odd.id for odd in inspect(RunStore.open(run), 60).unusual]
    filters.get_by_label("Only these").select_option("odd")
    expect(filters.locator("main > [role=status]")).to_contain_text(f"{len(unusual)} of 17 objects")
    assert {
        tile.get_attribute("data-id") for tile in filters.locator(".strip:visible .tile").all()
    } == set(unusual)
    # An address with it works by itself.
    filters.reload()
    expect(filters.locator("main > [role=status]")).to_contain_text(f"{len(unusual)} of 17 objects")
    filters.get_by_role("button", name="Filters").click()
    filters.get_by_label("Only these").select_option("copies")
    expect(filters.locator("main > [role=status]")).to_contain_text("None of 17 objects")


def test_a_filter_that_says_nothing_narrows_nothing(page: Page, address: str) -> None:
    open_page(page, address, "#/categories?score=x-1&size=&only=nothing&count=3")
    expect(page.locator("main > [role=status]")).to_contain_text("17 objects in 4 categories")

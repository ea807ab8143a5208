"""Sorting in a browser: a slider for fewer or more, and two levels."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import heap

from .opening import Serve, open_page, served
from .pictures import take_picture


@pytest.fixture
def sheet(page: Page, address: str) -> Page:
    """The sheet with the slider, when it shows what it proposes."""
    open_page(page, address)
    page.get_by_role("button", name="Sort again").click()
    expect(page.locator(".proposal .crop .photo").first).to_be_visible()
    return page


def test_the_slider_shows_fewer_or_more_and_changes_nothing(sheet: Page, run: Path) -> None:
    before = category_of(run)
    slider = sheet.get_by_label("Fewer or more categories")
    expect(slider).to_be_focused()
    proposed, told = sheet.locator(".proposed"), sheet.locator("#sort-sheet [role=status]")
    auto = len(heap.open(run).preview_categories().categories)
    expect(proposed).to_have_count(auto)
    slider.press("End")
    expect(proposed).to_have_count(8)
    expect(slider).to_have_attribute("aria-valuetext", "8 categories")
    expect(sheet.get_by_label("Number of categories")).to_have_value("8")
    expect(told).to_contain_text("8 categories of 1 to")
    slider.press("Home")
    expect(proposed).to_have_count(2)
    moved = heap.open(run).preview_categories(2).moved
    expect(told).to_contain_text(f"{moved} objects would leave their category")
    expect(told).to_contain_text("1 name stays")
    sheet.keyboard.press("Escape")
    expect(sheet.locator("#sort-sheet")).to_be_hidden()
    assert category_of(run) == before


def test_what_is_proposed_is_made_and_taken_back_in_one_step(sheet: Page, run: Path) -> None:
    before = category_of(run)
    titles = [category.title for category in heap.open(run).preview_categories(6).categories]
    for _ in range(20):
        sheet.keyboard.press("ArrowRight")
    sheet.get_by_label("Number of categories").fill("6")
    expect(sheet.locator(".proposed bdi")).to_have_text(titles)
    sheet.keyboard.press("Enter")
    expect(sheet.locator(".toast")).to_contain_text("6 categories were made")
    assert [category.title for category in heap.open(run).categories] == titles
    sheet.keyboard.press("Control+z")
    expect(sheet.locator(".toast").last).to_contain_text("Taken back")
    assert category_of(run) == before


def test_more_than_there_are_objects_is_said_in_the_sheet(
    browser: Browser, run: Path, serve: Serve
) -> None:
    # A browser itself tells the console of an answer that refuses, so that this is no `page`.
    page = browser.new_page()
    with served(page, serve(run)) as address:
        open_page(page, address)
        page.get_by_role("button", name="Sort again").click()
        page.get_by_label("Number of categories").fill("900")
        sheet = page.locator("#sort-sheet")
        expect(sheet.get_by_role("alert")).to_contain_text("cannot make 900 categories")
        expect(sheet.locator(".strong")).to_be_disabled()
        page.get_by_role("button", name="As many as fit best").click()
        expect(sheet.locator(".strong")).to_be_enabled()
        expect(sheet.get_by_role("alert")).to_be_hidden()
    page.close()


def test_many_categories_are_in_groups_and_a_coarse_level_shows_these(
    page: Page, run: Path, address: str
) -> None:
    heap.open(run).edit_categories(count=10, again=True)
    listed = heap.open(run).categories
    groups = {group: [c.id for c in listed if c.group == group] for group in (1, 2, 3)}
    assert sum(map(len, groups.values())) == 10
    open_page(page, address)
    sections = page.locator(".strips .group")
    expect(sections).to_have_count(3)
    for section, ids in zip(sections.all(), groups.values(), strict=True):
        numbers = [each.get_attribute("data-category") for each in section.locator(".strip").all()]
        assert numbers == list(map(str, ids))
    take_picture(page, "serve-groups")
    page.get_by_role("button", name="Coarse").click()
    strips = page.locator(".strips .strip")
    expect(strips).to_have_count(3 + (0 in category_of(run).values()))
    sizes = {category.id: category.size for category in listed}
    first = sum(sizes[id] for id in groups[1])
    expect(strips.first.locator("header")).to_contain_text(f"{len(groups[1])} categories")
    expect(strips.first.locator("header")).to_contain_text(f"{first} objects")
    # All of a group are selected, and merged in one step.
    strips.first.get_by_role("button", name="Select the categories of").click()
    expect(page.locator("#actions")).to_contain_text(f"{len(groups[1])} categories")
    page.locator("#actions").get_by_role("button", name="Merge into").click()
    expect(page.locator(".toast").last).to_contain_text("categories are one now")
    assert len(heap.open(run).categories) == 11 - len(groups[1])


def test_arrows_go_through_the_groups_in_their_order(page: Page, run: Path, address: str) -> None:
    heap.open(run).edit_categories(count=10, again=True)
    open_page(page, address)
    expect(page.locator(".group .tile").first).to_be_visible()
    numbers = [each.get_attribute("data-category") for each in page.locator(".strip").all()]
    page.keyboard.press("ArrowRight")
    passed = []
    for _ in numbers:
        passed.append(page.evaluate("document.activeElement.closest('.strip').dataset.category"))
        page.keyboard.press("ArrowDown")
    assert passed == numbers


def category_of(run: Path) -> dict[str, int]:
    table = heap.open(run).objects.to_pandas()
    return dict(zip(table["id"], table["category"], strict=True))

"""Taking corrections back and making them again, in a real browser."""

from pathlib import Path

from playwright.sync_api import Page, expect

import heap
from heap.store.state import State
from heap.store.store import RunStore

from .opening import choose, open_page


def state(run: Path) -> State:
    return State.read(RunStore.open(run).database)


def test_corrections_are_taken_back_by_keys(page: Page, address: str, run: Path) -> None:
    before = state(run)
    open_page(page, address)
    groups = page.locator(".strips .strip")
    count = groups.count()
    choose(page, groups.nth(0).locator("header"))
    choose(page, groups.nth(1).locator("header"))
    page.get_by_role("button", name="Merge into").click()
    expect(groups).to_have_count(count - 1)
    merged = state(run)
    page.keyboard.press("Control+z")
    expect(groups).to_have_count(count)
    expect(page.locator(".toast").last).to_contain_text("Taken back: merged categories")
    assert state(run) == before
    page.keyboard.press("Control+Shift+z")
    expect(groups).to_have_count(count - 1)
    assert state(run) == merged
    page.keyboard.press("Control+z")
    expect(groups).to_have_count(count)
    page.keyboard.press("Control+z")
    expect(page.locator(".toast.bad")).to_have_count(0)


def test_the_history_says_who_did_what_and_goes_back(page: Page, address: str, run: Path) -> None:
    first = state(run)
    open_page(page, address)
    page.get_by_role("button", name="History").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("Your name").fill("Ann")
    sheet.get_by_role("button", name="Close").click()
    for name in ("birds", "pets"):
        page.locator(".strip input.name").first.fill(name)
        page.keyboard.press("Enter")
        expect(page.locator(".toast").last).to_contain_text(name)
    number = heap.open(run).categories[0].id
    page.get_by_role("button", name="History").click()
    lines = sheet.locator(".history li")
    expect(lines.nth(0)).to_contain_text(f"named category {number} “pets”Ann")
    expect(lines.nth(0)).to_contain_text("now")
    lines.nth(1).get_by_role("button", name="Back to here").click()
    expect(page.locator(".strip input.name").first).to_have_value("birds")
    page.get_by_role("button", name="History").click()
    expect(lines.nth(0)).to_have_class("undone")
    # The entry before these two has made the categories.
    lines.nth(2).get_by_role("button", name="Back to here").click()
    expect(page.locator(".strip input.name").first).to_have_value("animals")
    assert state(run) == first
    page.get_by_role("button", name="History").click()
    lines.nth(0).get_by_role("button", name="Back to here").click()
    expect(page.locator(".strip input.name").first).to_have_value("pets")
    assert [one.undone for one in heap.open(run).history][-2:] == [False, False]


def test_a_message_takes_back_its_own_correction_only(page: Page, address: str, run: Path) -> None:
    open_page(page, address)
    field = page.locator(".strip input.name").first
    for name in ("birds", "pets"):
        field.fill(name)
        page.keyboard.press("Enter")
        expect(page.locator(".toast").last).to_contain_text(name)
    page.locator(".toast").first.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("dialog")).to_contain_text("History")
    assert heap.open(run).categories[0].name == "pets"

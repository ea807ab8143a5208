"""Review: one object after the other, decided by keys, and gone on with another day."""

from pathlib import Path

from playwright.sync_api import Dialog, Locator, Page, expect

import heap

from .opening import Serve, open_page, served
from .pictures import take_picture

Rows = dict[str, tuple[int | None, bool, bool]]


def rows(run: Path) -> Rows:
    """Category, whether rejected and whether reviewed, by the ids of objects."""
    table = heap.open(run).objects.to_arrow().to_pylist()
    return {row["id"]: (row["category"], row["rejected"], row["reviewed"]) for row in table}


def stage(page: Page) -> Locator:
    return page.locator(".review .stage-of")


def press(page: Page, key: str) -> str:
    """Press a key that decides about an object; gives its id when the next one has come."""
    decided = stage(page).get_attribute("data-id")
    assert decided
    page.keyboard.press(key)
    expect(stage(page)).not_to_have_attribute("data-id", decided)
    return decided


def told(page: Page, text: str) -> None:
    expect(page.locator(".review > header")).to_contain_text(text)


def stored(page: Page) -> None:
    """Wait for the decisions that the page has counted already, but not stored."""
    expect(page.locator("body")).not_to_have_attribute("aria-busy", "true")


def test_objects_are_reviewed_by_keys_and_gone_on_with_another_day(
    page: Page, run: Path, serve: Serve
) -> None:
    before = rows(run)
    total = len(before)
    with served(page, serve(run)) as address:
        open_page(page, address)
        page.keyboard.press("e")
        told(page, f"0 of {total} objects reviewed")
        expect(stage(page)).to_be_focused()
        accepted, postponed = press(page, "a"), press(page, "s")
        rejected, moved = press(page, "x"), press(page, "1")
        told(page, f"3 of {total} objects reviewed")
        told(page, "left")
        stored(page)
        largest = max(heap.open(run).categories, key=lambda category: category.size).id
        after = rows(run)
        assert after == before | {
            accepted: (before[accepted][0], False, True),
            rejected: (before[rejected][0], True, True),
            moved: (largest, False, True),
        }
        page.keyboard.press("Control+z")
        told(page, f"2 of {total} objects reviewed")
        expect(stage(page)).to_have_attribute("data-id", moved)
        assert rows(run)[moved] == before[moved]
        page.keyboard.press("Control+Shift+z")
        told(page, f"3 of {total} objects reviewed")
        assert rows(run) == after
    with served(page, serve(run)) as address:
        open_page(page, address, "#/review")
        told(page, f"3 of {total} objects reviewed")
        # It was only put off for as long as the page was open, and is the least sure of those left.
        expect(stage(page)).to_have_attribute("data-id", postponed)
        page.set_viewport_size({"width": 1280, "height": 800})
        take_picture(page, "serve-review")


def test_a_category_is_typed(page: Page, address: str, run: Path) -> None:
    open_page(page, address, "#/review")
    named: list[str] = []
    made: list[str] = []
    for text, decided in (("anim", named), ("birds", made)):
        now = stage(page).get_attribute("data-id")
        assert now
        page.keyboard.press("/")
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        expect(stage(page)).not_to_have_attribute("data-id", now)
        expect(stage(page)).to_be_focused()
        decided.append(now)
    told(page, "2 of")
    stored(page)
    after = rows(run)
    titles = {category.id: category.title for category in heap.open(run).categories}
    assert [titles[after[id][0] or 0] for id in (*named, *made)] == ["animals", "birds"]
    assert all(after[id][2] for id in (*named, *made))


def test_one_category_is_reviewed_to_its_end(page: Page, address: str, run: Path) -> None:
    smallest = min(heap.open(run).categories, key=lambda category: category.size)
    open_page(page, address, f"#/review/{smallest.id}")
    for left in range(smallest.size, 0, -1):
        told(page, f"{smallest.size - left} of")
        page.get_by_role("button", name="Accept", exact=False).first.click()
    expect(page.locator(".review .empty")).to_contain_text("All of them are reviewed")
    stored(page)
    members = [row for row in rows(run).values() if row[0] == smallest.id]
    assert all(reviewed for _, _, reviewed in members)
    page.get_by_role("link", name="Review the others").click()
    told(page, f"{smallest.size} of {len(rows(run))} objects reviewed")


def test_who_may_only_look_cannot_review(page: Page, run: Path, serve: Serve) -> None:
    with served(page, serve(run, "--read-only")) as address:
        open_page(page, address)
        expect(page.get_by_role("link", name="Review")).not_to_be_visible()
        page.keyboard.press("e")
        expect(page.locator(".review")).to_have_count(0)


def test_who_leaves_before_all_is_stored_is_asked(page: Page, address: str, run: Path) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    # Never answered: a correction that takes its time.
    page.route("**/objects/reviewed", lambda _: None)
    open_page(page, address, "#/review")
    expect(stage(page)).to_be_focused()
    decided = [press(page, "a"), press(page, "a")]
    expect(page.locator("body")).to_have_attribute("aria-busy", "true")
    with page.expect_event("dialog"):
        page.evaluate("setTimeout(() => location.assign('about:blank'))")
    assert asked == ["beforeunload"]
    page.unroute("**/objects/reviewed")  # which lets it go on
    stored(page)
    assert all(rows(run)[id][2] for id in decided)
    page.goto("about:blank")
    assert asked == ["beforeunload"]

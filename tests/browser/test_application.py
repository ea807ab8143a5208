"""`heap serve` in a real browser, over a run of the demo photos; it takes the pictures of docs."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import heap
from heap.categories.edit import rename
from heap.categories.sorting import sort_objects
from heap.discovery.command import discover
from heap.store.editing import Editor

from .opening import Serve, choose, open_page, served
from .pictures import take_picture

PHOTOS = Path(__file__).parents[2] / "demo" / "photos"
INERT = "<img src=x onerror=window.hit=1>.jpg"


@pytest.fixture(scope="module")
def looked_at(demo_run: Path, serve: Serve) -> Iterator[str]:
    """The address of the run for tests that change nothing."""
    with serve(demo_run) as address:
        yield address


def test_a_click_on_an_object_shows_what_is_like_it(
    page: Page, looked_at: str, demo_run: Path
) -> None:
    open_page(page, looked_at, "#/images")
    page.locator(".card").filter(has_text="chickens.jpg").locator("a").click()
    lines = page.locator("ol.objects li")
    expect(lines).to_have_count(2)
    expect(lines.first).to_have_class("c0 chosen")
    page.locator(".frame g.c1 .mask[d]").click()
    expect(lines.nth(1)).to_have_class("c1 chosen")
    expect(page.locator("#nearest h3")).to_have_text("Like object 2")
    wanted = [hit.id for hit in heap.open(demo_run).search(object_id="chickens.jpg#1", count=24)]
    near = page.locator("#nearest .tile")
    expect(near).to_have_count(len(wanted))
    assert [tile.get_attribute("data-id") for tile in near.all()] == wanted
    page.get_by_label("Only in").select_option("1")
    expect(near).not_to_have_count(len(wanted))
    page.locator("#nearest .tile:not([data-id^=chickens]) a").first.click()
    expect(page.locator(".viewer h2")).not_to_have_text("chickens.jpg")
    page.keyboard.press("Escape")
    expect(page.locator(".viewer")).to_have_count(0)
    expect(page.locator(".card").first).to_be_visible()


def test_a_box_is_drawn_to_search(page: Page, looked_at: str) -> None:
    open_page(page, looked_at, "#/image?key=sheep.jpg")
    area = page.locator(".frame").bounding_box()
    assert area is not None

    def at(across: float, down: float) -> tuple[float, float]:
        return area["x"] + across * area["width"], area["y"] + down * area["height"]

    # The sheep: 150 53 454 296 of 640 x 426.
    page.mouse.move(*at(150 / 640, 53 / 426))
    page.mouse.down()
    page.mouse.move(*at(454 / 640, 296 / 426), steps=4)
    page.mouse.up()
    expect(page.locator("#nearest h3")).to_have_text("Like what is in the box")
    near = page.locator("#nearest .tile")
    expect(near.first).to_have_attribute("data-id", "sheep.jpg#0", timeout=60_000)
    expect(page.locator("li.chosen")).to_have_count(0)


def test_a_category_is_renamed(page: Page, address: str, run: Path) -> None:
    open_page(page, address)
    field = page.locator(".name").first
    field.fill("<b>white</b> & more")
    field.press("Enter")
    expect(page.locator(".toast")).to_contain_text("“<b>white</b> & more”")
    assert heap.open(run).categories[0].name == "<b>white</b> & more"
    page.reload()
    expect(page.locator(".name").first).to_have_value("<b>white</b> & more")
    assert page.locator(".strips b").count() == 0
    expect(page.locator("#changed")).to_be_hidden()


def test_categories_are_merged(page: Page, address: str, run: Path) -> None:
    before = {each.id: each.size for each in heap.open(run).categories}
    open_page(page, address)
    cards = page.locator(".strips .strip")
    choose(page, cards.nth(2).locator("header"))
    choose(page, cards.nth(0).locator("header"))
    expect(page.locator("#actions")).to_contain_text("2 categories")
    page.get_by_role("button", name="Merge into “category-3”").click()
    expect(cards).to_have_count(3)
    after = {each.id: each.size for each in heap.open(run).categories}
    assert after == {2: before[2], 3: before[1] + before[3], 4: before[4]}
    expect(page.locator("#actions")).to_be_hidden()


def test_a_category_is_rejected_and_taken_back(page: Page, address: str, run: Path) -> None:
    open_page(page, address)
    cards = page.locator(".strips .strip")
    choose(page, cards.nth(3).locator("header"))
    page.keyboard.press("x")
    expect(cards).to_have_count(3)
    assert [each.rejected for each in heap.open(run).categories] == [False, False, False, True]
    page.locator(".toast").get_by_role("button", name="Undo").last.click()
    expect(cards).to_have_count(4)
    assert not any(each.rejected for each in heap.open(run).categories)


def test_objects_are_rejected_and_taken_back(page: Page, address: str, run: Path) -> None:
    open_page(page, address, "#/category/1")
    tiles = page.locator("main .tile")
    expect(tiles).to_have_count(heap.open(run).categories[0].size)
    before = [tile.get_attribute("data-id") for tile in tiles.all()]
    choose(page, tiles.nth(0))
    choose(page, tiles.nth(2))
    page.locator("#actions").get_by_role("button", name="Reject").click()
    expect(tiles).to_have_count(len(before) - 2)
    rejected = heap.open(run).objects.to_pandas("rejected")["id"]
    assert set(rejected) == {before[0], before[2]}
    place = (tiles.first.get_attribute("data-id") or "").rpartition("#")[2]
    tiles.first.locator("a").click()
    expect(page.locator("li.chosen")).to_have_class(f"c{place} chosen")
    page.keyboard.press("x")
    expect(page.locator("li.chosen")).to_have_class(f"c{place} out chosen")
    page.keyboard.press("Escape")
    expect(tiles).to_have_count(len(before) - 3)
    page.goto(f"{address}/#/rejected")
    expect(tiles).to_have_count(3)
    for tile in tiles.all():
        choose(page, tile)
    page.get_by_role("button", name="Restore").click()
    expect(tiles).to_have_count(0)
    assert not len(heap.open(run).objects.to_pandas("rejected"))


def test_objects_are_selected_and_moved(page: Page, address: str, run: Path) -> None:
    members = list(heap.open(run).categories[0].typical)
    open_page(page, address, "#/category/1")
    tiles = page.locator("main .tile")
    expect(tiles).to_have_count(len(members))
    tiles.nth(0).hover()
    tiles.nth(0).locator(".choose input").check()
    tiles.nth(2).locator("a").click(modifiers=["Shift"])
    expect(page.locator(".tile.chosen")).to_have_count(3)
    tiles.nth(1).locator("a").click()
    expect(page.locator(".tile.chosen")).to_have_count(2)
    page.keyboard.press("v")
    sheet = page.locator("#move-sheet")
    expect(sheet).to_contain_text("Move 2 objects to")
    expect(sheet.locator("input")).to_be_focused()
    page.keyboard.type("category-2")
    page.keyboard.press("Enter")
    expect(tiles).to_have_count(len(members) - 2)
    table = heap.open(run).objects.to_pandas("category = 2")
    assert {members[0], members[2]} < set(table["id"])
    page.locator(".toast").get_by_role("button", name="Undo").last.click()
    expect(tiles).to_have_count(len(members))
    assert heap.open(run).categories[0].size == len(members)
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    page.keyboard.press("ControlOrMeta+a")
    expect(page.locator(".tile.chosen")).to_have_count(len(members))
    page.keyboard.press("v")
    page.keyboard.type("silver")
    page.keyboard.press("Enter")
    expect(tiles).to_have_count(0)
    made = heap.open(run).categories[-1]
    assert (made.id, made.name, made.size) == (5, "silver", len(members))


def test_an_image_is_dropped(page: Page, looked_at: str) -> None:
    open_page(page, looked_at)
    content = b64encode((PHOTOS / "duck.jpg").read_bytes()).decode()
    dropped = page.evaluate_handle(
        """([content, name]) => {
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name, { type: "image/jpeg" }));
          return data;
        }""",
        [content, INERT],
    )
    page.dispatch_event("main", "dragenter", {"dataTransfer": dropped})
    expect(page.locator("#drop")).to_be_visible()
    page.dispatch_event("main", "drop", {"dataTransfer": dropped})
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator(".viewer h2")).to_have_text(INERT)
    near = page.locator("#nearest .tile")
    expect(near.first).to_have_attribute("data-id", "duck.jpg#0", timeout=60_000)
    expect(page.locator(".frame .mask[d]")).to_have_count(1)
    page.keyboard.press("r")
    expect(page.locator(".frame .regions")).to_be_visible()
    assert page.evaluate("window.hit") is None
    page.keyboard.press("Escape")
    expect(page.locator(".strip").first).to_be_visible()


def test_categories_are_made_again(page: Page, address: str, run: Path) -> None:
    with Editor(run) as editor:
        rename(editor, {1: "mine"})
    open_page(page, address)
    page.get_by_role("button", name="Sort again").click()
    page.get_by_label("Number of categories").fill("6")
    page.get_by_role("button", name="Make these 6 categories").click()
    expect(page.locator(".strips .strip")).to_have_count(6, timeout=60_000)
    assert "mine" in [each.name for each in heap.open(run).categories]


def test_while_another_process_writes_a_change_is_refused_and_undone(
    browser: Browser, run: Path, serve: Serve
) -> None:
    # A browser itself tells the console of an answer that refuses, so that this is no `page`.
    page = browser.new_page()
    with served(page, serve(run)) as address, Editor(run):
        open_page(page, address)
        field = page.locator(".name").nth(1)
        field.fill("mine")
        field.press("Enter")
        expect(page.locator(".toast.bad")).to_contain_text("being written by another process")
        expect(field).to_have_value("")
    page.close()


@pytest.mark.fault("F46")
def test_what_another_window_has_changed_is_shown_and_not_overwritten(
    browser: Browser, run: Path, serve: Serve
) -> None:
    page = browser.new_page()
    with served(page, serve(run)) as address:
        open_page(page, address)
        with Editor(run) as editor:
            rename(editor, {1: "elsewhere"})
        field = page.locator(".name").first
        field.fill("mine")
        field.press("Enter")
        expect(page.locator(".toast.bad")).to_contain_text("changed meanwhile")
        expect(field).to_have_value("elsewhere")
        assert heap.open(run).categories[0].name == "elsewhere"
        for name in ("mine", "mine again"):
            field.fill(name)
            field.press("Enter")
            expect(page.locator(".toast.good").last).to_contain_text(f"“{name}”")
        assert heap.open(run).categories[0].name == "mine again"
    page.close()


@pytest.mark.fault("F46")
def test_names_of_files_are_inert(page: Page, tmp_path: Path, serve: Serve) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in (INERT, "<script>window.hit=1</script>.jpg"):
        (photos / name.replace("/", "_")).write_bytes((PHOTOS / "cat.jpg").read_bytes())
    (photos / f"torn {INERT}").write_bytes(b"no image")
    discover(photos, tmp_path / "run", model="embedded-small")
    with Editor(tmp_path / "run") as editor:
        sort_objects(editor, 2)
        rename(editor, {1: "<img src=x onerror=window.hit=1>"})
    with served(page, serve(tmp_path / "run")) as address:
        open_page(page, address)
        page.locator(".strip .all").first.click()
        expect(page.locator("main .tile").first).to_be_visible()
        page.goto(f"{address}/#/images")
        expect(page.locator("figcaption bdi").first).to_have_text(INERT)
        page.locator(".card a").first.click()
        expect(page.locator(".viewer h2")).to_have_text(INERT)
        expect(page.locator("#nearest .tile").first).to_be_visible()
        page.goto(f"{address}/#/images?kind=failed")
        expect(page.locator("td").first).to_have_text(f"torn {INERT}")
        assert page.evaluate("window.hit") is None
        assert page.locator("main img[src=x], main script").count() == 0


def test_a_photo_that_is_not_where_it_was_is_shown_by_its_preview(
    browser: Browser, demo_run: Path, tmp_path: Path, serve: Serve
) -> None:
    with serve(demo_run, "--photos", str(tmp_path)) as address:
        page = browser.new_page()  # A browser complains in the console of what is not there.
        page.goto(f"{address}/#/image?key=cat.jpg")
        expect(page.locator(".hint")).to_contain_text("The photo is not where it was")
        expect(page.locator(".frame img.photo")).to_have_js_property("naturalWidth", 480)
        page.close()


def test_a_run_that_is_only_to_be_looked_at_offers_no_change(
    page: Page, demo_run: Path, serve: Serve
) -> None:
    with served(page, serve(demo_run, "--read-only")) as address:
        open_page(page, address)
        expect(page.locator(".strip h2").first).to_have_text("animals")
        expect(page.locator("#export")).to_be_hidden()
        for thing in (".choose", ".name", "main .quiet:not(.narrow)"):
            assert page.locator(thing).count() == 0
        page.goto(f"{address}/#/image?key=cat.jpg")
        expect(page.locator("#nearest .tile").first).to_be_visible()
        assert page.locator("ol.objects .round").count() == 0


def test_the_documentation_of_the_interface_opens(page: Page, looked_at: str) -> None:
    page.goto(f"{looked_at}/docs")
    expect(page.locator(".opblock").first).to_be_visible(timeout=30_000)


def test_pictures_for_the_documentation(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    open_page(page, address)
    second = page.locator(".name").nth(1)
    second.fill("things")
    second.press("Enter")
    expect(page.locator(".toast")).to_be_visible()
    page.get_by_label("Close this message").click()
    page.mouse.move(0, 0)
    take_picture(page, "serve-categories")
    page.goto(f"{address}/#/images")
    page.locator(".card").filter(has_text="cows.jpg").locator("a").click()
    expect(page.locator("#nearest .tile").first).to_be_visible()
    take_picture(page, "serve-image")
    page.keyboard.press("Escape")
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".card .mask[d]").first).to_be_visible()
    take_picture(page, "serve-images-dark")

"""`heap serve` in a real browser, over a run of the demo photos; it takes the pictures of docs."""

import shutil
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from serving import serving

import heap
from heap.categories.edit import rename, sort_objects
from heap.discovery import discover
from heap.store.editing import Editor

from .pictures import take_picture

PHOTOS = Path(__file__).parents[2] / "demo" / "photos"
INERT = "<img src=x onerror=window.hit=1>.jpg"


@pytest.fixture
def run(demo_run: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(demo_run, tmp_path / "holiday photos"))


@contextmanager
def served(page: Page, run: Path, *options: str) -> Iterator[str]:
    """The address of a run, which the page leaves before it is no longer served."""
    with serving(run, *options) as address:
        yield address
        page.goto("about:blank")


@pytest.fixture
def address(run: Path, page: Page) -> Iterator[str]:
    with served(page, run) as address:
        yield address


@pytest.fixture(scope="module")
def looked_at(demo_run: Path) -> Iterator[str]:
    """The address of the run for tests that change nothing."""
    with serving(demo_run) as address:
        yield address


def open_page(page: Page, address: str, view: str = "") -> None:
    page.goto(f"{address}/{view}")
    expect(page.locator("#name")).not_to_be_empty()


def choose(page: Page, card: Locator) -> None:
    card.hover()
    card.locator(".choose").check()


def test_categories_are_browsed(page: Page, looked_at: str, demo_run: Path) -> None:
    open_page(page, looked_at)
    wanted = heap.open(demo_run).categories
    cards = page.locator(".card[data-category]")
    expect(cards).to_have_count(len(wanted))
    for card, category in zip(cards.all(), wanted, strict=True):
        expect(card.locator(".name")).to_have_attribute("placeholder", category.title)
        expect(card).to_contain_text(f"{category.size} object")
    cards.first.locator(".sheet-of").click()
    tiles = page.locator("main .tile")
    expect(tiles).to_have_count(wanted[0].size)
    assert [tile.get_attribute("data-id") for tile in tiles.all()] == list(wanted[0].typical)
    page.locator("main select").select_option("-similarity")
    expect(tiles.first).to_have_attribute("data-id", wanted[0].typical[-1])
    page.get_by_label("All categories").click()
    expect(cards).to_have_count(len(wanted))


def test_images_are_browsed_with_masks_and_regions(
    page: Page, looked_at: str, demo_run: Path
) -> None:
    table = heap.open(demo_run).objects.to_pandas()
    empty = len(list(PHOTOS.iterdir())) - table["key"].nunique()
    open_page(page, looked_at, "#/images")
    photos = page.locator(".photo")
    expect(photos).to_have_count(len(list(PHOTOS.iterdir())))
    cat = photos.filter(has_text="cat.jpg")
    cat.scroll_into_view_if_needed()
    expect(cat.locator(".masks")).to_be_visible()
    loaded = "(image) => image.complete && image.naturalWidth > 0"
    cat.locator(".masks").evaluate(f"async (image) => {{ await image.decode(); }}; {loaded}")
    expect(cat.locator(".regions")).to_be_hidden()
    page.locator("main .layers").get_by_text("Regions").click()
    expect(cat.locator(".regions")).to_be_visible()
    page.keyboard.press("m")
    expect(cat.locator(".masks")).to_be_hidden()
    page.keyboard.press("m")
    page.keyboard.press("r")
    page.get_by_role("button", name="No object").click()
    expect(page.locator("figcaption").filter(has_text="no object")).to_have_count(empty)
    page.get_by_role("button", name="All").click()
    page.keyboard.press("/")
    page.keyboard.type("co")
    expect(photos).to_have_count(2)
    page.keyboard.type("w")
    expect(photos).to_have_count(1)
    expect(page.locator(".filter")).to_be_focused()
    page.locator(".filter").fill("")
    page.locator("main select").select_option("score")
    expect(photos.first).to_contain_text(table.loc[table["score"].idxmax(), "key"])


def test_a_click_on_an_object_shows_what_is_like_it(
    page: Page, looked_at: str, demo_run: Path
) -> None:
    open_page(page, looked_at, "#/images")
    page.locator(".photo").filter(has_text="chickens.jpg").locator("a").click()
    lines = page.locator("ol.objects li")
    expect(lines).to_have_count(2)
    expect(lines.first).to_have_class("c0 chosen")
    page.locator("g.c1 .mask").click()
    expect(lines.nth(1)).to_have_class("c1 chosen")
    expect(page.locator("#nearest h3")).to_have_text("Like object 2")
    wanted = [hit.id for hit in heap.open(demo_run).search(object_id="chickens.jpg#1", count=24)]
    near = page.locator("#nearest .tile")
    expect(near).to_have_count(len(wanted))
    assert [tile.get_attribute("data-id") for tile in near.all()] == wanted
    page.get_by_label("Only in").select_option("1")
    expect(near).not_to_have_count(len(wanted))
    page.locator("#nearest .tile:not([data-id^=chickens]) a").first.click()
    expect(page.locator("#viewer h2")).not_to_have_text("chickens.jpg")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator(".photo").first).to_be_visible()


def test_arrows_leaf_through_the_list_that_was_left(page: Page, looked_at: str) -> None:
    open_page(page, looked_at, "#/images")
    page.locator(".photo a").first.click()
    title = page.locator("#viewer h2")
    for name in ("astronaut", "bricks", "building", "cat", "chickens"):
        expect(title).to_have_text(f"{name}.jpg")
        page.keyboard.press("ArrowRight")
    expect(title).to_have_text("coffee.jpg")
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text("chickens.jpg")
    page.keyboard.press("2")
    expect(page.locator("ol.objects li").nth(1)).to_have_class("c1 chosen")
    page.reload()
    expect(title).to_have_text("chickens.jpg")
    expect(page.locator("ol.objects li").nth(1)).to_have_class("c1 chosen")


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
    assert page.locator("main b").count() == 0
    expect(page.locator("#changed")).to_be_hidden()


def test_categories_are_merged(page: Page, address: str, run: Path) -> None:
    before = {each.id: each.size for each in heap.open(run).categories}
    open_page(page, address)
    cards = page.locator(".card[data-category]")
    choose(page, cards.nth(2))
    choose(page, cards.nth(0))
    expect(page.locator("#actions")).to_contain_text("2 categories")
    page.get_by_role("button", name="Merge into “category-3”").click()
    expect(cards).to_have_count(3)
    after = {each.id: each.size for each in heap.open(run).categories}
    assert after == {2: before[2], 3: before[1] + before[3], 4: before[4]}
    expect(page.locator("#actions")).to_be_hidden()


def test_a_category_is_rejected_and_taken_back(page: Page, address: str, run: Path) -> None:
    open_page(page, address)
    cards = page.locator(".cards").first.locator(".card[data-category]")
    choose(page, cards.nth(3))
    page.keyboard.press("x")
    expect(cards).to_have_count(3)
    assert [each.rejected for each in heap.open(run).categories] == [False, False, False, True]
    page.get_by_role("button", name="Undo").click()
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
    expect(page.locator("#viewer h2")).to_have_text(INERT)
    near = page.locator("#nearest .tile")
    expect(near.first).to_have_attribute("data-id", "duck.jpg#0", timeout=60_000)
    expect(page.locator("g .mask")).to_have_count(1)
    page.keyboard.press("r")
    expect(page.locator(".frame .regions")).to_be_visible()
    assert page.evaluate("window.hit") is None
    page.keyboard.press("Escape")
    expect(page.locator(".card[data-category]").first).to_be_visible()


def test_a_run_is_exported(page: Page, address: str, tmp_path: Path) -> None:
    open_page(page, address)
    page.locator("#export").click()
    page.get_by_text("YOLO", exact=True).click()
    page.locator("select[name=split]").select_option("train=0.8,val=0.2")
    page.locator("#export-sheet").get_by_role("button", name="Export").click()
    expect(page.locator("#export-title")).to_have_text("Exported")
    expect(page.locator("#export-sheet")).to_contain_text("17 images")
    with page.expect_download() as download:
        page.locator("#archive").click()
    download.value.save_as(tmp_path / "export.zip")
    assert download.value.suggested_filename == "holiday photos-yolo.zip"
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        names = archive.namelist()
        assert "animals" in archive.read("data.yaml").decode()
    assert sum(name.startswith("images/") and name.endswith(".jpg") for name in names) == 17


def test_categories_are_made_again(page: Page, address: str, run: Path) -> None:
    with Editor(run) as editor:
        rename(editor, {1: "mine"})
    open_page(page, address)
    page.get_by_role("button", name="Make again").click()
    page.get_by_text("as many as fit best").click()
    page.get_by_label("Number of categories").fill("6")
    page.get_by_role("button", name="Make them again").click()
    expect(page.locator(".card[data-category]")).to_have_count(6)
    assert "mine" in [each.name for each in heap.open(run).categories]


def test_what_another_process_changes_is_offered(page: Page, address: str, run: Path) -> None:
    open_page(page, address)
    with Editor(run) as editor:
        rename(editor, {2: "elsewhere"})
    page.locator("#changed").click(timeout=20_000)
    expect(page.locator(".name").nth(1)).to_have_value("elsewhere")
    expect(page.locator("#changed")).to_be_hidden()


def test_while_another_process_writes_a_change_is_refused_and_undone(
    browser: Browser, run: Path
) -> None:
    # A browser itself tells the console of an answer that refuses, so that this is no `page`.
    page = browser.new_page()
    with served(page, run) as address, Editor(run):
        open_page(page, address)
        field = page.locator(".name").nth(1)
        field.fill("mine")
        field.press("Enter")
        expect(page.locator(".toast.bad")).to_contain_text("being written by another process")
        expect(field).to_have_value("")
    page.close()


@pytest.mark.fault("F46")
def test_what_another_window_has_changed_is_shown_and_not_overwritten(
    browser: Browser, run: Path
) -> None:
    page = browser.new_page()
    with served(page, run) as address:
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
def test_names_of_files_are_inert(page: Page, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in (INERT, "<script>window.hit=1</script>.jpg"):
        (photos / name.replace("/", "_")).write_bytes((PHOTOS / "cat.jpg").read_bytes())
    (photos / f"torn {INERT}").write_bytes(b"no image")
    discover(photos, tmp_path / "run", model="embedded-small")
    with Editor(tmp_path / "run") as editor:
        sort_objects(editor, 2)
        rename(editor, {1: "<img src=x onerror=window.hit=1>"})
    with served(page, tmp_path / "run") as address:
        open_page(page, address)
        page.locator(".sheet-of").first.click()
        expect(page.locator("main .tile").first).to_be_visible()
        page.goto(f"{address}/#/images")
        expect(page.locator("figcaption bdi").first).to_have_text(INERT)
        page.locator(".photo a").first.click()
        expect(page.locator("#viewer h2")).to_have_text(INERT)
        expect(page.locator("#nearest .tile").first).to_be_visible()
        page.goto(f"{address}/#/images?kind=failed")
        expect(page.locator("td").first).to_have_text(f"torn {INERT}")
        assert page.evaluate("window.hit") is None
        assert page.locator("main img[src=x], main script").count() == 0


def test_a_photo_that_is_not_where_it_was_is_shown_by_its_preview(
    browser: Browser, demo_run: Path, tmp_path: Path
) -> None:
    with serving(demo_run, "--photos", str(tmp_path)) as address:
        page = browser.new_page()  # A browser complains in the console of what is not there.
        page.goto(f"{address}/#/image?key=cat.jpg")
        expect(page.locator(".hint")).to_contain_text("The photo is not where it was")
        expect(page.locator(".stage img.plain")).to_have_js_property("naturalWidth", 480)
        page.close()


def test_a_run_that_is_only_to_be_looked_at_offers_no_change(page: Page, demo_run: Path) -> None:
    with served(page, demo_run, "--read-only") as address:
        open_page(page, address)
        expect(page.locator(".card h2").first).to_have_text("animals")
        expect(page.locator("#export")).to_be_hidden()
        for thing in (".choose", ".name", "main .quiet"):
            assert page.locator(thing).count() == 0
        page.goto(f"{address}/#/image?key=cat.jpg")
        expect(page.locator("#nearest .tile").first).to_be_visible()
        assert page.locator("ol.objects .round").count() == 0


def test_keys_and_theme(page: Page, looked_at: str) -> None:
    open_page(page, looked_at)
    page.keyboard.press("?")
    expect(page.locator("#keys-sheet")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    expect(page.locator(".photo").first).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator(".card").first).to_be_visible()
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.locator("#theme").click()
    page.locator("#theme").click()
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    expect(page.locator(".card").first).to_be_visible()
    assert page.evaluate(paper) == dark


@pytest.mark.parametrize("view", ["", "#/images", "#/category/1", "#/image?key=cat.jpg"])
def test_it_fits_on_a_telephone(page: Page, looked_at: str, view: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    open_page(page, looked_at, view)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


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
    page.locator(".photo").filter(has_text="cows.jpg").locator("a").click()
    expect(page.locator("#nearest .tile").first).to_be_visible()
    take_picture(page, "serve-image")
    page.keyboard.press("Escape")
    page.emulate_media(color_scheme="dark")
    page.locator(".photo .masks").first.evaluate("async (image) => { await image.decode(); }")
    take_picture(page, "serve-images-dark")

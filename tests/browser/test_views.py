"""The views that the application and the gallery share, in both."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from runs import make_run, ring, sort_into

import heap
from heap.store.store import RunStore
from heap.view.gallery import write_gallery

from .opening import Serve

PHOTOS = Path(__file__).parents[2] / "demo" / "photos"
HOSTILE = "<img src=x onerror=alert(1)>"
LIGHT, DARK = "rgb(251, 250, 247)", "rgb(22, 22, 21)"


@pytest.fixture(scope="module", params=["application", "gallery"])
def address(request: pytest.FixtureRequest, demo_run: Path, serve: Serve) -> Iterator[str]:
    """The run of the demo photos, by either."""
    if request.param == "gallery":
        yield (demo_run / "gallery.html").as_uri()
    else:
        with serve(demo_run) as served:
            yield f"{served}/"


@pytest.fixture
def demo(page: Page, address: str) -> Iterator[Page]:
    """The page with its categories."""
    page.goto(address)
    expect(page.locator(".tile .photo")).not_to_have_count(0)
    yield page
    page.goto("about:blank")


@pytest.fixture
def images(demo: Page) -> Page:
    """The page with its images."""
    demo.keyboard.press("i")
    expect(demo.locator(".card .photo")).not_to_have_count(0)
    return demo


def names(page: Page) -> list[str]:
    """Names of the images whose cards are in the page, in order."""
    return page.locator(".card p bdi").all_text_contents()


def strips(page: Page) -> Locator:
    return page.locator(".strip:visible")


def focused(page: Page) -> str:
    label: str = page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")
    return label


class TestImages:
    def test_pictures_are_shown(self, images: Page) -> None:
        photo = images.locator(".card .photo").first
        expect(photo).to_have_js_property("complete", True)
        assert photo.evaluate("image => image.naturalWidth") > 100
        expect(images.locator(".card .mask[d]").first).to_be_visible()
        expect(images.locator("main > [role=status]")).to_have_text("17 images")

    def test_cards_fill_the_width(self, images: Page) -> None:
        boxes = [card.bounding_box() for card in images.locator(".card").all()]
        first = [box for box in boxes if box and boxes[0] and box["y"] == boxes[0]["y"]]
        assert len(first) > 1
        bed = images.locator(".bed").bounding_box()
        assert bed
        assert first[-1]["x"] + first[-1]["width"] == pytest.approx(bed["x"] + bed["width"], abs=1)
        for left, right in pairwise(first):
            assert right["x"] - left["x"] - left["width"] == pytest.approx(18, abs=1)

    def test_tabs_sorting_and_filter(self, images: Page, demo_run: Path) -> None:
        table = heap.open(demo_run).objects.to_pandas()
        images.locator("main select").select_option("score")
        expect(images.locator(".card p bdi").first).to_have_text(
            table.loc[table["score"].idxmax(), "key"]
        )
        images.get_by_role("button", name="No object").click()
        empty = len(list(PHOTOS.iterdir())) - table["key"].nunique()
        expect(images.locator(".card")).to_have_count(empty)
        assert empty
        images.get_by_role("button", name="Low confidence").click()
        # How many there are is the model's affair; some models are sure of all that they find.
        expect(images.locator("main > [role=status]")).to_have_text(re.compile(r"^\d+ images?$"))
        images.get_by_role("button", name="All").click()
        images.keyboard.press("/")
        images.keyboard.type("DOG")
        expect(images.locator(".card")).to_have_count(1)
        assert names(images) == ["dog.jpg"]
        expect(images.locator("main > [role=status]")).to_have_text("1 of 17 images")
        expect(images.locator(".filter")).to_be_focused()
        images.fill(".filter", "animals")
        expect(images.locator(".card").first).to_contain_text("animals")
        # The address follows a moment after the last key.
        expect(images).to_have_url(re.compile("words=animals"))
        images.reload()
        expect(images.locator(".filter")).to_have_value("animals")

    def test_arrows_go_through_the_cards_and_enter_opens(self, images: Page) -> None:
        order = names(images)
        images.keyboard.press("ArrowRight")
        assert focused(images) == f"Open {order[0]}"
        images.keyboard.press("ArrowRight")
        assert focused(images) == f"Open {order[1]}"
        images.keyboard.press("ArrowDown")
        assert images.evaluate("document.activeElement.closest('.card').offsetTop") > 0
        images.keyboard.press("End")
        assert focused(images) == "Open statue.jpg"
        images.keyboard.press("Home")
        images.keyboard.press("Enter")
        title = images.locator(".viewer h2")
        expect(title).to_have_text(order[0])
        images.keyboard.press("ArrowRight")
        expect(title).to_have_text(order[1])
        expect(images.locator("#place")).to_have_text("2 of 17")
        images.reload()
        expect(title).to_have_text(order[1])
        images.keyboard.press("ArrowLeft")
        expect(title).to_have_text(order[0])
        images.keyboard.press("ArrowRight")
        expect(title).to_have_text(order[1])
        images.keyboard.press("Escape")
        expect(images.locator(".viewer")).to_have_count(0)

    def test_back_is_where_the_viewer_was_left(self, images: Page) -> None:
        images.keyboard.press("End")
        images.keyboard.press("ArrowRight")
        images.keyboard.press("End")
        images.keyboard.press("Enter")
        expect(images.locator(".viewer h2")).to_have_text("statue.jpg")
        images.keyboard.press("ArrowLeft")
        expect(images.locator(".viewer h2")).to_have_text("sheep.jpg")
        images.keyboard.press("Escape")
        expect(images.locator(":focus")).to_have_attribute("aria-label", "Open sheep.jpg")
        expect(images.locator(":focus")).to_be_in_viewport()

    def test_layers_by_keys(self, images: Page) -> None:
        card = images.locator(".card").filter(has_text="cat.jpg")
        expect(card.locator(".mask[d]")).to_be_visible()
        for key, selector in (("m", ".mask"), ("b", ".box"), ("r", ".regions")):
            layer = card.locator(selector).first
            before = layer.is_visible()
            images.keyboard.press(key)
            expect(layer).to_be_visible(visible=not before)
            images.keyboard.press(key)
            expect(layer).to_be_visible(visible=before)

    def test_an_object_is_chosen_by_a_click_and_by_its_number(self, images: Page) -> None:
        images.locator(".card").filter(has_text="chickens.jpg").locator("a").click()
        lines = images.locator("ol.objects li")
        expect(lines).to_have_count(2)
        expect(lines.first).to_have_class("c0 chosen")
        images.locator(".frame g.c1 .mask[d]").click()
        expect(lines.nth(1)).to_have_class("c1 chosen")
        images.keyboard.press("1")
        expect(lines.first).to_have_class("c0 chosen")
        images.reload()
        expect(lines.first).to_have_class("c0 chosen")


class TestCategories:
    def test_a_strip_for_each_with_its_tiles(self, demo: Page, demo_run: Path) -> None:
        wanted = heap.open(demo_run).categories
        expect(strips(demo)).to_have_count(len(wanted))
        for strip, category in zip(strips(demo).all(), wanted, strict=True):
            expect(strip).to_have_attribute("aria-label", category.title)
            expect(strip.locator(".all")).to_contain_text(f"{category.size} object")
            expect(strip.locator(".coherence")).to_have_text(f"{category.coherence:.2f}")
            tiles = strip.locator(".tile")
            expect(tiles).to_have_count(category.size)
            shown = [tile.get_attribute("data-id") for tile in tiles.all()]
            assert shown[: len(category.typical)] == list(category.typical)

    def test_a_tile_shows_its_object(self, demo: Page) -> None:
        tile = demo.locator(".tile").first
        mask = tile.locator(".mask[d]")
        outer, inner = tile.bounding_box(), mask.bounding_box()
        assert outer
        assert inner
        assert outer["width"] == outer["height"] == 148
        middle = outer["x"] + outer["width"] / 2
        assert inner["x"] < middle < inner["x"] + inner["width"]
        assert inner["height"] <= outer["height"] * 1.02

    def test_typical_first_or_by_score(self, demo: Page) -> None:
        def scores() -> list[float]:
            tiles = strips(demo).first.locator(".tile a").all()
            return [float(str(tile.get_attribute("aria-label")).split()[-1]) for tile in tiles]

        typical = scores()
        demo.locator("main select").select_option("score")
        expect(demo.locator("main select")).to_have_value("score")
        assert scores() == sorted(typical, reverse=True)
        demo.locator("main select").select_option("-score")
        assert scores() == sorted(typical)

    def test_the_filter_knows_categories_and_images(self, demo: Page) -> None:
        whole = demo.locator(".tile").count()
        demo.keyboard.press("/")
        demo.keyboard.type("animals")
        expect(strips(demo)).to_have_count(1)
        assert 1 < demo.locator(".tile:visible").count() < whole
        demo.fill(".filter", "duck")
        expect(demo.locator(".tile:visible")).to_have_count(1)
        expect(demo.locator("main > [role=status]")).to_contain_text("1 of ")
        demo.fill(".filter", "nothing like this")
        expect(strips(demo)).to_have_count(0)

    def test_arrows_enter_and_back(self, demo: Page) -> None:
        demo.keyboard.press("ArrowRight")
        first = focused(demo)
        assert first.startswith("1 of ")
        demo.keyboard.press("ArrowRight")
        assert focused(demo).startswith("2 of ")
        demo.keyboard.press("ArrowDown")
        assert demo.evaluate("document.activeElement.closest('.strip').dataset.category") == "2"
        demo.keyboard.press("ArrowUp")
        demo.keyboard.press("Home")
        assert focused(demo) == first
        demo.keyboard.press("Enter")
        expect(demo.locator("#place")).to_have_text(re.compile("animals · 1 of"))
        expect(demo.locator(".frame g.chosen")).to_have_count(1)
        expect(demo.locator("li.chosen")).to_have_count(1)
        demo.keyboard.press("ArrowRight")
        expect(demo.locator("#place")).to_have_text(re.compile("animals · 2 of"))
        demo.keyboard.press("Escape")
        # To the tile that the viewer was left at.
        expect(demo.locator(":focus")).to_have_attribute("aria-label", re.compile("^2 of "))

    def test_a_category_has_a_page_of_its_own(self, demo: Page, demo_run: Path) -> None:
        category = heap.open(demo_run).categories[0]
        strips(demo).first.locator(".all").click()
        tiles = demo.locator(".tile")
        expect(tiles).to_have_count(category.size)
        demo.locator("main select").select_option("-similarity")
        expect(tiles.first).to_have_attribute("data-id", category.typical[-1])
        assert "order=-similarity" in demo.url
        tiles.first.locator("a").click()
        expect(demo.locator("#place")).to_have_text(f"animals · 1 of {category.size}")
        demo.get_by_label("Close").click()
        expect(tiles.first).to_have_attribute("data-id", category.typical[-1])
        demo.get_by_label("All categories").click()
        expect(strips(demo)).to_have_count(4)


def paper(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


def test_the_theme_follows_the_system_until_one_is_chosen(demo: Page) -> None:
    for scheme, colour in (("dark", DARK), ("light", LIGHT)):
        demo.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert paper(demo) == colour
    demo.locator("#theme").click()
    demo.emulate_media(color_scheme="dark")
    assert paper(demo) == LIGHT
    demo.locator("#theme").click()
    assert paper(demo) == DARK
    demo.emulate_media(color_scheme="light")
    demo.reload()
    expect(demo.locator(".tile").first).to_be_visible()
    assert paper(demo) == DARK, "it is remembered"
    demo.locator("#theme").click()
    assert paper(demo) == LIGHT, "as the system again"


def test_the_keys_are_told(demo: Page) -> None:
    demo.keyboard.press("?")
    expect(demo.locator("#keys-sheet")).to_contain_text("categories, images")
    demo.keyboard.press("i")
    expect(demo.locator(".strip").first).to_be_visible()
    demo.keyboard.press("Escape")
    expect(demo.locator("#keys-sheet")).not_to_be_visible()
    demo.keyboard.press("i")
    expect(demo.locator(".card").first).to_be_visible()
    demo.keyboard.press("c")
    expect(demo.locator(".strip").first).to_be_visible()


@pytest.mark.parametrize(
    "view", ["#/", "#/images", "#/category/1", "#/image?key=cat.jpg", "#/review"]
)
def test_it_fits_on_a_telephone(page: Page, address: str, view: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{address}{view}")
    expect(page.locator("main .photo").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.locator("button:visible, select:visible, .tabs button:visible").evaluate_all(
        "all => all.map((each) => each.getBoundingClientRect().height).filter((high) => high < 44)"
    )
    assert small == [], "targets of fingers"
    page.goto("about:blank")


@pytest.mark.fault("F46")
def test_names_are_text(page: Page, tmp_path: Path) -> None:
    key = f"{HOSTILE}.jpg"
    run = make_run(tmp_path, {key: [ring((60, 80), (30, 30), 20, 5)], "b.jpg": []})
    sort_into(run, {1: HOSTILE}, {f"{key}#0": 1})
    write_gallery(RunStore.open(run), run / "gallery.html")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto((run / "gallery.html").as_uri())
    expect(page.locator(".strip h2").first).to_have_text(HOSTILE)
    page.keyboard.press("i")
    expect(page.locator(".card p bdi").first).to_have_text(key)
    page.keyboard.press("c")
    page.locator(".tile a").click()
    expect(page.locator(".viewer h2")).to_have_text(key)
    expect(page.locator("#place")).to_have_text(f"{HOSTILE} · 1 of 1")
    assert not page.locator("[onerror]").count()

"""The gallery as its readers use it: opened from disk, by keys and with the mouse."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from runs import make_run, result_of, ring, sort_into

from heap.categories.standing import Place, Strip
from heap.masks.scaling import thumbnail
from heap.report.cards import Card, Fact, make_card
from heap.report.gallery import Page as Content
from heap.report.gallery import write_gallery, write_page
from heap.store.records import Finished
from heap.store.store import RunStore

from .pictures import take_picture

HOSTILE = "<img src=x onerror=alert(1)>"
TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
LIGHT, DARK = "rgb(251, 250, 247)", "rgb(22, 22, 21)"


def open_page(page: Page, path: Path) -> None:
    page.goto(path.resolve().as_uri())


@pytest.fixture
def demo(page: Page, demo_run: Path) -> Page:
    """The gallery of the demo photos."""
    open_page(page, demo_run / "gallery.html")
    expect(page.locator("#grid .card")).not_to_have_count(0)
    return page


def names(page: Page) -> list[str]:
    """Of the cards, as they lie in the page."""
    return page.locator("#grid .card h2").all_text_contents()


def strips(page: Page) -> Locator:
    return page.locator(".strip:visible")


def focused(page: Page) -> str:
    found: str = page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")
    return found


class TestImages:
    def test_pictures_are_shown(self, demo: Page) -> None:
        photo = demo.locator("#grid .photo").first
        expect(photo).to_have_js_property("complete", True)
        assert photo.evaluate("image => image.naturalWidth") > 100
        assert demo.locator("#grid .mask").first.bounding_box()
        expect(demo.locator("#status")).to_have_text("17 images")

    def test_cards_fill_the_width(self, demo: Page) -> None:
        boxes = [card.bounding_box() for card in demo.locator("#grid .card").all()]
        first = [box for box in boxes if box and boxes[0] and box["y"] == boxes[0]["y"]]
        assert len(first) > 1
        grid = demo.locator("#grid").bounding_box()
        assert grid
        assert first[-1]["x"] + first[-1]["width"] == pytest.approx(
            grid["x"] + grid["width"], abs=1
        )
        for left, right in pairwise(first):
            assert right["x"] - left["x"] - left["width"] == pytest.approx(20, abs=1)

    def test_tabs_sorting_and_filter(self, demo: Page) -> None:
        demo.select_option("[name=sort]", "-score")
        scores = [float(text) for text in demo.locator("#grid .card").evaluate_all(
            "cards => cards.map((card) => card.dataset.score)")]  # fmt: skip
        assert scores == sorted(scores)
        assert scores[0] < scores[-1]
        demo.click("label:has([value=none])")
        expect(demo.locator("#grid .card")).to_have_count(3)
        demo.click("label:has([value=low])")
        # How many there are is the model's affair; some models are sure of all that they find.
        expect(demo.locator("#status")).to_have_text(re.compile(r"(\d|No) images?"))
        demo.click("label:has([value=all])")
        demo.fill("[type=search]", "DOG")
        expect(demo.locator("#grid .card")).to_have_count(1)
        assert names(demo) == ["dog.jpg"]
        expect(demo.locator("#status")).to_have_text("1 of 17 images")
        demo.fill("[type=search]", "animals")
        expect(demo.locator("#grid .card").first).to_contain_text("animals")

    def test_arrows_go_through_the_cards_and_enter_opens(self, demo: Page) -> None:
        order = names(demo)
        demo.keyboard.press("ArrowRight")
        assert focused(demo) == f"Enlarge {order[0]}"
        demo.keyboard.press("ArrowRight")
        assert focused(demo) == f"Enlarge {order[1]}"
        demo.keyboard.press("ArrowDown")
        assert demo.evaluate("document.activeElement.closest('.card').offsetTop") > 0
        demo.keyboard.press("End")
        assert focused(demo) == "Enlarge statue.jpg"
        demo.keyboard.press("Home")
        demo.keyboard.press("Enter")
        expect(demo.locator("#viewer h2")).to_have_text(order[0])
        demo.keyboard.press("ArrowRight")
        expect(demo.locator("#viewer h2")).to_have_text(order[1])
        expect(demo.locator("#place")).to_have_text("2 of 17")
        demo.keyboard.press("Escape")
        expect(demo.locator("#viewer")).not_to_be_visible()
        # To where the viewer was left.
        expect(demo.locator(":focus")).to_have_attribute("aria-label", f"Enlarge {order[1]}")

    def test_layers_by_keys(self, demo: Page) -> None:
        for key, selector in (("m", ".mask"), ("b", ".box"), ("r", ".regions")):
            layer = demo.locator(f"#grid {selector}").first
            before = layer.is_visible()
            demo.keyboard.press(key)
            expect(layer).to_be_visible(visible=not before)


class TestCategories:
    @pytest.fixture
    def demo(self, demo: Page) -> Page:
        demo.keyboard.press("c")
        expect(demo.locator(".tile .photo")).not_to_have_count(0)
        return demo

    def test_a_strip_for_each_with_its_tiles(self, demo: Page, demo_run: Path) -> None:
        assert strips(demo).locator("h2").all_text_contents()[0] == "animals"
        expect(demo.locator("#grid")).not_to_be_visible()
        assert "coherence 0." in strips(demo).locator(".facts").all_text_contents()[0]
        sizes = [
            int(text.split()[0]) for text in strips(demo).locator(".facts").all_text_contents()
        ]
        assert sum(sizes) == RunStore.open(demo_run).counts().objects
        expect(strips(demo).first.locator(".tile")).to_have_count(sizes[0])

    def test_a_tile_shows_its_object(self, demo: Page) -> None:
        tile, mask = demo.locator(".tile").first, demo.locator(".tile .mask").first
        outer, inner = tile.bounding_box(), mask.bounding_box()
        assert outer
        assert inner
        assert outer["width"] == outer["height"] == 148
        middle = outer["x"] + outer["width"] / 2
        assert inner["x"] < middle < inner["x"] + inner["width"]
        assert inner["height"] <= outer["height"] * 1.02

    def test_typical_first_or_by_score(self, demo: Page) -> None:
        def scores() -> list[float]:
            labels = (
                strips(demo)
                .first.locator(".tile")
                .evaluate_all("tiles => tiles.map((tile) => tile.title)")
            )
            return [float(label.rpartition(" ")[2]) for label in labels]

        typical = scores()
        demo.select_option("[name=order]", "score")
        expect(demo.locator(".tile .photo")).not_to_have_count(0)
        assert scores() == sorted(typical, reverse=True)
        demo.select_option("[name=order]", "-score")
        expect(demo.locator(".tile .photo")).not_to_have_count(0)
        assert scores() == sorted(typical)

    def test_the_filter_knows_categories_and_images(self, demo: Page) -> None:
        demo.keyboard.press("/")
        demo.keyboard.type("animals")
        expect(strips(demo)).to_have_count(1)
        whole = demo.locator(".tile").count()
        demo.fill("[type=search]", "duck")
        expect(demo.locator(".tile")).to_have_count(1)
        assert whole > 1
        demo.fill("[type=search]", "nothing like this")
        expect(strips(demo)).to_have_count(0)

    def test_arrows_enter_and_back(self, demo: Page) -> None:
        demo.keyboard.press("ArrowRight")
        first = focused(demo)
        assert first.startswith("1 of ")
        demo.keyboard.press("ArrowRight")
        assert focused(demo).startswith("2 of ")
        demo.keyboard.press("ArrowDown")
        assert demo.evaluate("document.activeElement.closest('.strip').dataset.id") == "2"
        demo.keyboard.press("ArrowUp")
        demo.keyboard.press("Home")
        assert focused(demo) == first
        demo.keyboard.press("Enter")
        expect(demo.locator("#place")).to_have_text(re.compile("animals · 1 of"))
        expect(demo.locator("#viewer g.picked")).to_have_count(1)
        expect(demo.locator("#viewer li.picked")).to_have_count(1)
        demo.keyboard.press("ArrowRight")
        demo.keyboard.press("Escape")
        # To the tile that the viewer was left at.
        expect(demo.locator(":focus")).to_have_attribute("aria-label", re.compile("^2 of "))

    def test_a_click_opens_the_image_of_a_tile(self, demo: Page) -> None:
        tile = strips(demo).nth(1).locator(".tile").first
        title = tile.get_attribute("title")
        tile.click()
        name = demo.locator("#viewer h2").text_content()
        assert title
        assert name
        assert title.startswith(f"{name}, object ")
        demo.click("#close")
        demo.keyboard.press("c")
        expect(demo.locator("#grid .photo")).not_to_have_count(0)


def paper(page: Page) -> str:
    found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


def test_the_theme_follows_the_system_until_one_is_chosen(demo: Page) -> None:
    for scheme, colour in (("dark", DARK), ("light", LIGHT)):
        demo.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert paper(demo) == colour
    demo.select_option("#theme", "dark")
    assert paper(demo) == DARK
    demo.reload()
    assert paper(demo) == DARK, "it is remembered"
    demo.select_option("#theme", "light")
    demo.emulate_media(color_scheme="dark")
    assert paper(demo) == LIGHT
    demo.select_option("#theme", "system")
    assert paper(demo) == DARK


def test_a_page_that_may_not_remember_anything_works(page: Page, demo_run: Path) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    )
    open_page(page, demo_run / "gallery.html")
    page.select_option("#theme", "dark")
    assert paper(page) == DARK


def test_the_keys_are_told(demo: Page) -> None:
    demo.keyboard.press("?")
    expect(demo.locator("#keys")).to_contain_text("images or categories")
    demo.keyboard.press("c")
    expect(demo.locator("#grid")).to_be_visible()
    demo.keyboard.press("Escape")
    expect(demo.locator("#keys")).not_to_be_visible()


@pytest.mark.fault("F46")
def test_names_are_text(page: Page, tmp_path: Path) -> None:
    key = f"{HOSTILE}.jpg"
    run = make_run(tmp_path, {key: [ring((60, 80), (30, 30), 20, 5)], "b.jpg": []})
    sort_into(run, {1: HOSTILE}, {f"{key}#0": 1})
    write_gallery(RunStore.open(run), run / "gallery.html")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    open_page(page, run / "gallery.html")
    expect(page.locator(".card h2").first).to_have_text(key)
    page.keyboard.press("c")
    expect(page.locator(".strip h2").first).to_have_text(HOSTILE)
    page.locator(".tile").click()
    expect(page.locator("#viewer h2")).to_have_text(key)
    expect(page.locator("#place")).to_have_text(f"{HOSTILE} · 1 of 1")
    assert not page.locator("[onerror]").count()


def many(count: int) -> Iterator[Card]:
    """Images with five objects each, all of one category but the last of each."""
    masks = [ring((60, 80), (30, 15 + 12 * place), 10, 3) for place in range(5)]
    photo = thumbnail(np.full((60, 80, 3), 120, dtype=np.uint8))
    card = make_card(Finished(result_of("a", masks, (60, 80)), photo))
    of, none = Strip(1, "things", 0.5), Strip(0, "in no category", None)
    for number in range(count):
        facts = tuple(
            Fact(each.index, each.colour, each.score, each.box,
                 Place(of, 0.5) if each.index < 4 else Place(none, None))
            for each in card.facts
        )  # fmt: skip
        yield replace(card, name=f"{number:04d}.jpg", facts=facts)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gallery of 5,000 objects."""
    path = tmp_path_factory.mktemp("large") / "gallery.html"
    strips = (Strip(1, "things", 0.5), Strip(0, "in no category", None))
    write_page(Content("large", {}, many(1000), [], strips), path)
    return path


def count(page: Page, selector: str) -> int:
    return page.locator(selector).count()


@pytest.mark.fault("F49")
def test_of_many_images_only_those_near_the_view_are_in_the_page(page: Page, large: Path) -> None:
    open_page(page, large)
    expect(page.locator("#grid .photo").first).to_be_visible()
    assert count(page, "#grid .card") < 60
    held = page.evaluate("document.querySelector('#grid .card:last-child h2').textContent")
    page.mouse.move(700, 500)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(page.locator("#grid .card h2").last).to_have_text("0999.jpg")
    expect(page.locator("#grid .card").last.locator(".photo")).to_be_visible()
    assert count(page, "#grid .card") < 60
    assert held not in names(page), "what was left is in the page no more"
    page.select_option("[name=sort]", "objects")
    page.keyboard.press("Tab")
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator("#grid .card h2").first).to_have_text("0000.jpg")


@pytest.mark.fault("F49")
def test_of_long_strips_only_the_tiles_near_the_view_are_in_the_page(
    page: Page, large: Path
) -> None:
    open_page(page, large)
    page.keyboard.press("c")
    strip = strips(page).first
    expect(strip.locator(".tile .photo").first).to_be_visible()
    assert "4000 objects" in (strip.locator(".facts").text_content() or "")
    assert strip.locator(".row").evaluate("row => row.scrollWidth") > 4000 * 150
    assert count(page, ".tile") < 60
    strip.locator(".row").evaluate("row => { row.scrollLeft = 300000; }")
    expect(strip.locator('.tile[data-place="1880"] .photo')).to_be_visible()
    assert count(page, ".tile") < 60
    assert not strip.locator('.tile[data-place="0"]').count()
    strip.locator('.tile[data-place="1880"]').focus()
    page.keyboard.press("End")
    assert focused(page).startswith("4000 of 4000: ")


def test_pictures_out_of_view_are_forgotten(page: Page, large: Path) -> None:
    page.add_init_script(
        "window.urls = 0; const make = URL.createObjectURL, free = URL.revokeObjectURL;"
        "URL.createObjectURL = (blob) => { window.urls += 1; return make.call(URL, blob); };"
        "URL.revokeObjectURL = (url) => { window.urls -= Boolean(url); free.call(URL, url); };"
    )
    open_page(page, large)
    for place in range(8):
        page.evaluate("share => scrollTo(0, share * document.body.scrollHeight)", place / 8)
        page.evaluate(TWO_FRAMES)
        expect(page.locator("#grid .card").last.locator(".photo")).to_be_visible()
        # What has just left the view is forgotten a frame or two later.
        for _ in range(50):
            if 0 < page.evaluate("window.urls") <= 2 * count(page, "#grid .card"):
                break
            page.evaluate(TWO_FRAMES)
        else:
            pytest.fail(f"{page.evaluate('window.urls')} pictures are kept")


def test_pictures_for_the_documentation(demo: Page) -> None:
    demo.set_viewport_size({"width": 1400, "height": 1050})
    take_picture(demo, "gallery")
    demo.keyboard.press("c")
    expect(strips(demo)).to_have_count(4)
    expect(strips(demo).locator(".tile:not(:has(.photo))")).to_have_count(0)
    take_picture(demo, "gallery-categories")

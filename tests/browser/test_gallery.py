"""The gallery as its readers use it: opened from disk, with thousands of objects."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from runs import DIM, result_of, ring

from heap.masks.scaling import thumbnail
from heap.store.editing import Editor
from heap.store.records import Finished
from heap.store.store import RunStore
from heap.view.contents import trace_outlines
from heap.view.gallery import write_gallery

from .pictures import take_picture

TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture
def demo(page: Page, demo_run: Path) -> Page:
    """The gallery of the demo photos."""
    page.goto((demo_run / "gallery.html").as_uri())
    expect(page.locator(".tile")).not_to_have_count(0)
    return page


def test_nothing_can_be_changed_or_searched(demo: Page) -> None:
    for selector in ("#export", "#find"):
        expect(demo.locator(selector)).to_be_hidden()
    for selector in (".choose", ".name", "main button.quiet:not(.narrow)"):
        assert demo.locator(selector).count() == 0
    demo.keyboard.press("ArrowRight")
    demo.keyboard.press(" ")
    demo.keyboard.press("x")
    expect(demo.locator("#actions")).to_be_hidden()
    demo.keyboard.press("Enter")
    expect(demo.locator(".frame .mask").first).to_be_visible()
    assert demo.locator("ol.objects .round").count() == 0
    expect(demo.locator("#nearest .tile")).to_have_count(0)


def test_a_page_that_may_not_remember_anything_works(page: Page, demo_run: Path) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    )
    page.goto((demo_run / "gallery.html").as_uri())
    page.locator("#theme").click()
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_on_paper_there_are_all_photos(demo: Page) -> None:
    demo.keyboard.press("i")
    expect(demo.locator(".card .photo")).not_to_have_count(0)
    demo.set_viewport_size({"width": 800, "height": 200})
    expect(demo.locator(".card")).not_to_have_count(17)
    demo.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert demo.locator(".card .photo").count() == 17
    demo.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(demo.locator(".card")).not_to_have_count(17)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gallery of 5,000 objects, five in each image, all of one category but the last."""
    run = tmp_path_factory.mktemp("large") / "run"
    masks = [ring((60, 80), (30, 15 + 12 * place), 10, 3) for place in range(5)]
    photo = thumbnail(np.full((60, 80, 3), 120, dtype=np.uint8))
    drawn = trace_outlines(result_of("any", masks, (60, 80)))
    with RunStore.create_or_open(run, {}) as store:
        keys = [f"{number:04d}.jpg" for number in range(1000)]
        store.add([Finished(result_of(key, masks, (60, 80)), photo) for key in keys])
    prototype = [1.0, *[0.0] * (DIM - 1)]
    with Editor(run) as editor:
        editor.write_categories(
            [{"id": 1, "name": "things", "rejected": False, "prototype": prototype, "least": 0.0,
              "made_with": '{"last": 1}'}]
        )  # fmt: skip
        editor.update_objects("index < 4", {"category": 1, "similarity": 0.5})
        editor.update_objects("index = 4", {"category": 0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "heap.view.gallery.trace_outlines", lambda result: drawn
        )  # They are the same in all.
        write_gallery(RunStore.open(run), run / "gallery.html")
    return run / "gallery.html"


def count(page: Page, selector: str) -> int:
    return page.locator(selector).count()


def names(page: Page) -> list[str]:
    return page.locator(".card p bdi").all_text_contents()


@pytest.mark.fault("F49")
def test_of_many_images_only_those_near_the_view_are_in_the_page(page: Page, large: Path) -> None:
    page.goto(f"{large.as_uri()}#/images")
    expect(page.locator(".card .photo").first).to_be_visible()
    assert count(page, ".card") < 60
    last = names(page)[-1]
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(page.locator(".card p bdi").last).to_have_text("0999.jpg")
    expect(page.locator(".card").last.locator(".photo")).to_be_visible()
    assert count(page, ".card") < 60
    assert last not in names(page), "what was left is in the page no more"
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator(".card p bdi").first).to_have_text("0000.jpg")


@pytest.mark.fault("F49")
def test_of_long_strips_only_the_tiles_near_the_view_are_in_the_page(
    page: Page, large: Path
) -> None:
    page.goto(large.as_uri())
    strip = page.locator(".strip").first
    expect(strip.locator(".tile .photo").first).to_be_visible()
    expect(strip.locator(".all")).to_have_text("4,000 objects")
    assert strip.locator(".row").evaluate("row => row.scrollWidth") > 4000 * 150
    assert count(page, ".tile") < 80
    strip.locator(".row").evaluate("row => { row.scrollLeft = 300000; }")
    expect(strip.locator('.tile[data-place="1925"] .photo')).to_be_visible()
    assert count(page, ".tile") < 80
    assert not strip.locator('.tile[data-place="0"]').count()
    strip.locator('.tile[data-place="1925"] a').focus()
    page.keyboard.press("End")
    expect(page.locator(":focus")).to_have_attribute(
        "aria-label", "4000 of 4000: 0999.jpg, object 4, score 0.60"
    )


def test_pictures_out_of_view_are_forgotten(page: Page, large: Path) -> None:
    page.add_init_script(
        "window.urls = 0; const make = URL.createObjectURL, free = URL.revokeObjectURL;"
        "URL.createObjectURL = (blob) => { window.urls += 1; return make.call(URL, blob); };"
        "URL.revokeObjectURL = (url) => { window.urls -= Boolean(url); free.call(URL, url); };"
    )
    page.goto(f"{large.as_uri()}#/images")
    for place in range(8):
        page.evaluate("share => scrollTo(0, share * document.body.scrollHeight)", place / 8)
        page.evaluate(TWO_FRAMES)
        expect(page.locator(".card").last.locator(".photo")).to_be_visible()
        # What has just left the view is forgotten a frame or two later.
        for _ in range(50):
            if 0 < page.evaluate("window.urls") <= 2 * count(page, ".card"):
                break
            page.evaluate(TWO_FRAMES)
        else:
            pytest.fail(f"{page.evaluate('window.urls')} pictures are kept")


def test_pictures_for_the_documentation(demo: Page) -> None:
    demo.set_viewport_size({"width": 1400, "height": 1050})
    expect(demo.locator(".strip")).to_have_count(4)
    take_picture(demo, "gallery-categories")
    demo.keyboard.press("i")
    expect(demo.locator(".card .photo")).not_to_have_count(0)
    take_picture(demo, "gallery")

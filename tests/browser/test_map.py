"""The map of all objects in a browser: looked around in, and selected from."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import heap
from heap.store.store import RunStore
from heap.view.gallery import write_gallery

from .opening import open_page
from .pictures import take_picture

COLOURED = """canvas => {
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  return data.filter((value, at) => at % 4 === 3 && value === 255).length;
}"""


@pytest.fixture
def objects(run: Path) -> list[str]:
    """Ids of the objects; the map is kept before the page asks for it."""
    return list(heap.open(run).map().ids)


@pytest.fixture
def canvas(objects: list[str], page: Page, address: str) -> Locator:
    """The map, when it is drawn."""
    open_page(page, address, "#/map")
    expect(page.locator("main > .line [role=status]").first).to_have_text(f"{len(objects)} objects")
    expect(page.locator(".pin .photo").first).to_be_visible()
    return page.get_by_role("application", name="Map of all objects")


def middle_of_a_pin(page: Page) -> tuple[float, float]:
    box = page.locator(".pin").first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag_around(page: Page, canvas: Locator) -> None:
    """Around nearly all of the canvas."""
    box = canvas.bounding_box()
    assert box is not None
    left, top, right, bottom = (
        box["x"] + 3, box["y"] + 3, box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    )  # fmt: skip
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()


def test_the_map_is_drawn_in_the_colours_of_the_legend(page: Page, canvas: Locator) -> None:
    assert canvas.evaluate(COLOURED) > 17 * 20
    counts = page.locator(".legend .entry .soft").all_text_contents()
    assert sum(map(int, counts)) == 17
    expect(page.locator(".legend .entry").first).to_contain_text("animals")
    take_picture(page, "serve-map")
    page.get_by_label("Colours", exact=True).first.select_option("score")
    expect(page.locator(".legend .ramp")).to_be_visible()
    assert "by=score" in page.url


def test_what_is_pointed_at_is_shown_and_opened(page: Page, canvas: Locator) -> None:
    x, y = middle_of_a_pin(page)
    page.mouse.move(x, y)
    expect(page.locator(".peek .photo")).to_be_visible()
    key = page.locator(".peek .soft").text_content()
    page.mouse.click(x, y)
    expect(page.locator(".viewer h2")).to_have_text(str(key).split(" · ")[0])


def test_a_lasso_selects(page: Page, canvas: Locator) -> None:
    page.get_by_role("button", name="Lasso").click()
    drag_around(page, canvas)
    expect(page.locator("#actions")).to_contain_text("17 objects")
    page.keyboard.down("Alt")
    drag_around(page, canvas)
    page.keyboard.up("Alt")
    expect(page.locator("#actions")).to_be_hidden()
    page.get_by_role("button", name="Lasso").click()
    page.keyboard.down("Shift")
    drag_around(page, canvas)
    page.keyboard.up("Shift")
    expect(page.locator("#actions")).to_contain_text("17 objects")


def test_what_is_selected_on_the_map_is_moved(
    page: Page, canvas: Locator, run: Path, objects: list[str]
) -> None:
    canvas.press("Control+a")
    page.keyboard.press("v")
    page.keyboard.type("everything")
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text("17 objects are the new category")
    expect(page.locator(".legend")).to_contain_text("everything")
    made = heap.open(run).categories[-1]
    members = heap.open(run).objects.to_pandas(f"category = {made.id}")["id"]
    assert set(members) == set(objects)


def test_a_drag_moves_and_the_wheel_enlarges(page: Page, canvas: Locator) -> None:
    before = middle_of_a_pin(page)
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 45, box["y"] + 25, steps=4)
    page.mouse.up()
    expect(page.locator(".peek")).to_be_hidden()
    page.wait_for_timeout(50)
    after = middle_of_a_pin(page)
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((40, 20), abs=1.5)
    pin = page.locator(".pin").first
    x, y = after
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(50)
    # What is under the pointer stays there.
    assert middle_of_a_pin(page) == pytest.approx((x, y), abs=2)
    expect(pin).to_be_visible()


def test_by_keys(page: Page, address: str, objects: list[str]) -> None:
    open_page(page, address)
    page.keyboard.press("g")
    canvas = page.get_by_role("application")
    expect(page.locator(".pin").first).to_be_visible()
    canvas.focus()
    page.keyboard.press("ArrowRight")
    said = page.locator(".said")
    expect(said).not_to_be_empty()
    first = said.text_content()
    page.keyboard.press("Space")
    expect(page.locator("#actions")).to_contain_text("1 object")
    expect(said).to_contain_text("selected")
    page.keyboard.press("Escape")
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    assert said.text_content()
    for key in ("+", "Shift+ArrowLeft", "-", "0"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.locator(".viewer")).to_be_visible()
    assert first


def test_the_legend_narrows_all_views(page: Page, canvas: Locator) -> None:
    entry = page.locator(".legend .entry").first
    count = entry.locator(".soft").text_content()
    entry.click()
    status = page.locator("main > .line [role=status]").first
    expect(status).to_have_text(f"{count} of 17 objects")
    expect(page.get_by_role("button", name=f"Select {count}")).to_be_visible()
    page.get_by_role("link", name="Images").click()
    expect(page).to_have_url(re.compile("category=1"))
    page.get_by_role("link", name="Map", exact=True).click()
    page.locator(".legend .entry").first.click()
    expect(status).to_have_text("17 objects")


def test_the_gallery_has_a_map_that_was_kept(page: Page, run: Path) -> None:
    write_gallery(RunStore.open(run), run / "gallery.html")
    page.goto((run / "gallery.html").as_uri())
    expect(page.locator("#name")).not_to_be_empty()
    expect(page.locator("#map-link")).to_be_hidden()
    heap.open(run).map()
    page.goto("about:blank")
    page.goto((run / "gallery.html").as_uri())
    page.keyboard.press("g")
    expect(page.locator(".pin .photo").first).to_be_visible()
    expect(page.get_by_role("button", name="Lasso")).to_be_hidden()
    page.mouse.move(*middle_of_a_pin(page))
    expect(page.locator(".peek .photo")).to_be_visible()
    page.goto("about:blank")


def test_a_map_is_drawn_when_it_is_first_looked_at(page: Page, address: str, run: Path) -> None:
    open_page(page, address, "#/map")
    expect(page.locator(".pin .photo").first).to_be_visible(timeout=60_000)
    assert heap.open(run).store.find("map") is not None


def test_a_rejected_object_leaves_the_map(
    page: Page, canvas: Locator, run: Path, objects: list[str]
) -> None:
    x, y = middle_of_a_pin(page)
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    page.mouse.click(x, y)
    page.keyboard.up("Control")
    expect(page.locator("#actions")).to_contain_text("1 object")
    page.keyboard.press("x")
    expect(page.locator("main > .line [role=status]").first).to_have_text("16 objects")

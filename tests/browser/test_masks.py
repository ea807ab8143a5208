"""Correcting masks in a real browser: parts, brush, eraser, box, splitting, and the way back."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import heap
from heap.results import ImageResult

from .opening import Serve, open_page, served
from .pictures import take_picture

KEY = "cat.jpg"
VIEW = f"#/image?key={KEY}"
LOADED = 60_000
"""Milliseconds in which the model is loaded when it is first needed."""
DRAWN = "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"


def result(run: Path, key: str = KEY) -> ImageResult:
    return next(each for each in heap.open(run).results() if each.key == key)


def mask(run: Path, place: int = 0) -> np.ndarray:
    return result(run).objects.masks[place].decode()


def pixels(page: Page) -> int:
    """Pixels that the mask in the editor has."""
    # By an attribute: what a page allows to run leaves no other way to wait.
    expect(page.locator("canvas.drawing")).to_have_attribute("data-pixels", re.compile("."))
    # What is drawn is drawn in the next frame.
    page.evaluate(DRAWN)
    return int(page.locator("canvas.drawing").get_attribute("data-pixels") or -1)


@pytest.fixture
def editor(page: Page, address: str) -> Page:
    """The page with the mask of the cat in the editor."""
    open_page(page, address, VIEW)
    expect(page.locator(".frame .mask[d]").first).to_be_attached()
    page.keyboard.press("p")
    expect(page.locator(".editor")).to_be_visible()
    return page


@pytest.fixture
def at(page: Page) -> Callable[[float, float], tuple[float, float]]:
    """Function from shares of the photo to a point of the page."""

    def point(across: float, down: float) -> tuple[float, float]:
        area = page.locator(".world").bounding_box()
        assert area is not None
        return area["x"] + across * area["width"], area["y"] + down * area["height"]

    return point


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()


Point = Callable[[float, float], tuple[float, float]]


def test_a_mask_is_painted_and_taken_back(editor: Page, at: Point, run: Path) -> None:
    before, image = mask(run), result(run)
    expect(editor.get_by_role("button", name="Apply")).to_be_disabled()
    first = pixels(editor)
    assert first == before.sum(), "it is shown pixel by pixel"
    editor.keyboard.press("b")
    drag(editor, at(0.05, 0.1), at(0.25, 0.1))
    more = pixels(editor)
    assert more > first
    editor.keyboard.press("e")
    drag(editor, at(0.05, 0.1), at(0.15, 0.1))
    assert first < pixels(editor) < more
    editor.keyboard.press("Control+z")
    assert pixels(editor) == more
    editor.keyboard.press("Control+z")
    assert pixels(editor) == first
    editor.keyboard.press("Control+Shift+z")
    assert pixels(editor) == more
    assert not heap.open(run).objects.to_pandas("drawn").size, "nothing is stored yet"
    editor.keyboard.press("Enter")
    expect(editor.locator(".toast").last).to_contain_text(
        "Object 1 has another mask now", timeout=LOADED
    )
    expect(editor.locator(".editor")).to_have_count(0)
    after = mask(run)
    assert after.sum() == more
    assert after[round(0.1 * image.height), round(0.15 * image.width)]
    assert (after & before).sum() == before.sum()
    box = result(run).objects.boxes[0]
    expect(editor.locator("ol.objects .box-of").first).to_have_text(
        " ".join(str(round(float(edge))) for edge in box)
    )
    row = heap.open(run).objects.to_pandas("drawn").iloc[0]
    assert (row["id"], row["reviewed"], row["outdated"]) == (f"{KEY}#0", True, False)
    editor.keyboard.press("Control+z")
    expect(editor.locator(".toast").last).to_contain_text("Taken back: corrected the mask of")
    assert (mask(run) == before).all()
    assert result(run) == image
    expect(editor.locator(".toast.bad")).to_have_count(0)


def test_parts_are_clicked_on(editor: Page, at: Point, run: Path) -> None:
    first = pixels(editor)
    editor.mouse.click(*at(0.02, 0.02))
    background = pixels(editor)
    assert background > first
    editor.mouse.click(*at(0.02, 0.02))
    taken = pixels(editor)
    assert taken < background, "the same part goes again"
    editor.get_by_role("button", name="Cancel").click()
    expect(editor.locator(".editor")).to_have_count(0)
    expect(editor.locator("#nearest")).to_be_visible()
    assert not heap.open(run).objects.to_pandas("drawn").size


def test_a_missed_object_is_drawn_by_keys_alone(page: Page, address: str, run: Path) -> None:
    count = len(result(run).objects)
    open_page(page, address, VIEW)
    expect(page.locator(".frame .mask[d]").first).to_be_attached()
    page.keyboard.press("n")
    expect(page.locator(".editor h3")).to_have_text("A missed object")
    assert pixels(page) == 0
    page.keyboard.press(" ")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    boxed = pixels(page)
    image = result(run)
    side = 6 * 0.012 * max(image.width, image.height)
    assert boxed == pytest.approx(side * side, rel=0.1)
    page.keyboard.press("b")
    for _ in range(8):
        page.keyboard.press("]")
    page.keyboard.press(" ")
    assert pixels(page) > boxed
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text("Added 1 object", timeout=LOADED)
    expect(page.locator("ol.objects li")).to_have_count(count + 1)
    expect(page.locator("ol.objects li").last).to_have_class(f"c{count} chosen")
    objects = result(run).objects
    assert (len(objects), float(objects.scores[-1])) == (count + 1, 1.0)
    page.keyboard.press("Control+z")
    expect(page.locator("ol.objects li")).to_have_count(count)
    page.keyboard.press("Control+Shift+z")
    expect(page.locator("ol.objects li")).to_have_count(count + 1)
    page.keyboard.press("c")
    page.locator(".strip .tile").first.wait_for()
    expect(page.locator(f".tile[data-id='{KEY}#{count}'] .mask[d]")).to_be_attached()


def test_an_object_is_cut_in_two(editor: Page, at: Point, run: Path) -> None:
    before, image = mask(run), result(run)
    left_edge, _, right_edge, _ = image.objects.boxes[0].tolist()
    middle = (left_edge + right_edge) / 2 / image.width
    editor.keyboard.press("s")
    expect(editor.locator(".toast").last).to_contain_text("cut it with the eraser first")
    editor.keyboard.press("e")
    drag(editor, at(middle, 0.01), at(middle, 0.99))
    left = pixels(editor)
    editor.keyboard.press("s")
    expect(editor.locator(".editor [role=status]")).to_have_text("2 objects when it is applied.")
    editor.keyboard.press("Enter")
    expect(editor.locator(".toast").last).to_contain_text("2 objects of one now", timeout=LOADED)
    count = len(image.objects)
    expect(editor.locator("ol.objects li")).to_have_count(count + 1)
    first, second = mask(run, 0), mask(run, count)
    assert not (first & second).any()
    assert (first | second).sum() == left < before.sum()
    assert first.sum() >= second.sum()


def test_zoom_by_wheel_and_keys(page: Page, address: str) -> None:
    open_page(page, address, VIEW)
    frame, world = page.locator(".frame"), page.locator(".world")
    whole = frame.bounding_box()
    assert whole is not None
    corner = whole["x"] + 10, whole["y"] + 10
    page.mouse.move(*corner)
    page.mouse.wheel(0, -600)
    expect(page.locator(".zoom output")).not_to_have_text("100 %")
    now = world.bounding_box()
    assert now is not None
    assert now["width"] > 2 * whole["width"]
    scale = now["width"] / whole["width"]
    assert now["x"] + 10 * scale == pytest.approx(corner[0], abs=1), "the pointer stays where it is"
    page.keyboard.press("Shift+ArrowRight")
    moved = world.bounding_box()
    assert moved is not None
    assert moved["x"] < now["x"]
    page.keyboard.press("0")
    assert world.bounding_box() == frame.bounding_box()
    page.keyboard.press("+")
    expect(page.locator(".zoom output")).to_have_text("135 %")
    # A click still meets the object that is under it.
    page.locator(".frame g.c0 .mask[d]").click()
    expect(page.locator("li.chosen")).to_have_class("c0 chosen")
    page.keyboard.press("p")
    expect(page.locator(".editor")).to_be_visible()
    assert pixels(page) > 0
    page.keyboard.press("+")
    expect(page.locator(".zoom output")).to_have_text("182 %")


def test_how_masks_are_shown_is_kept(page: Page, address: str) -> None:
    open_page(page, address, VIEW)
    shape = page.locator(".frame g.c0 .mask[d]")
    opacity = "mask => getComputedStyle(mask).fillOpacity"
    assert float(shape.evaluate(opacity)) > 0
    page.get_by_role("button", name="Masks: Tint").click()
    assert float(shape.evaluate(opacity)) == 0
    expect(page.locator(".frame .veil")).to_be_hidden()
    page.keyboard.press("l")
    expect(page.locator(".frame .veil")).to_be_visible()
    expect(page.get_by_role("button", name="Masks: Spotlight")).to_be_visible()
    page.reload()
    expect(page.locator(".frame .veil")).to_be_visible()


def test_a_run_to_be_looked_at_has_no_editor(page: Page, run: Path, serve: Serve) -> None:
    with served(page, serve(run, "--read-only")) as address:
        open_page(page, address, VIEW)
        expect(page.locator("li.chosen")).to_have_count(1)
        page.keyboard.press("p")
        page.keyboard.press("n")
        expect(page.get_by_role("button", name="Draw what was missed")).to_have_count(0)
        expect(page.locator(".editor")).to_have_count(0)


def test_the_picture_of_the_documentation(editor: Page, at: Point) -> None:
    for look in ("Outline", "Spotlight"):
        editor.keyboard.press("l")
        expect(editor.get_by_role("button", name=f"Masks: {look}")).to_be_visible()
    editor.keyboard.press("b")
    drag(editor, at(0.33, 0.33), at(0.42, 0.29))
    pixels(editor)
    take_picture(editor, "serve-mask")

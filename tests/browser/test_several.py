"""Several runs in a browser: a page of all, and two of the same photos side by side."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

import heap
from heap.categories.edit import reject_objects
from heap.store.editing import Editor

from .opening import Serve, served
from .pictures import take_picture


@pytest.fixture
def runs(demo_run: Path, tmp_path: Path) -> Path:
    """A folder of two runs, of which the second lacks an object of the photo of a cat."""
    for name in ("all of them", "without the cat"):
        shutil.copytree(demo_run, tmp_path / "runs" / name)
    with Editor(tmp_path / "runs" / "without the cat") as editor:
        reject_objects(editor, ["cat.jpg#0"])
    return tmp_path / "runs"


@pytest.fixture
def start(page: Page, runs: Path, serve: Serve) -> Iterator[str]:
    with served(page, serve(runs)) as address:
        page.goto(address)
        expect(page.locator(".run")).to_have_count(2)
        yield address


def test_a_card_leads_to_a_run_and_back(page: Page, start: str, runs: Path) -> None:
    card = page.locator(".run").nth(1)
    count = heap.open(runs / "without the cat").store.counts().objects
    expect(card).to_contain_text(f"17 images · {count} objects")
    expect(card).to_contain_text("by embedded")
    expect(card.locator("img")).to_have_count(4)
    card.get_by_role("link", name="without the cat").click()
    expect(page.locator("#name")).to_have_text("without the cat")
    expect(page).to_have_url(f"{start}/runs/without%20the%20cat/")
    expect(page.locator(".tile .photo").first).to_be_visible()
    field = page.locator(".name").first
    field.fill("beasts")
    field.press("Enter")
    expect(page.locator(".toast")).to_contain_text("“beasts”")
    assert heap.open(runs / "without the cat").categories[0].name == "beasts"
    assert heap.open(runs / "all of them").categories[0].name == "animals"
    page.get_by_role("link", name="All runs").click()
    expect(page.locator(".run")).to_have_count(2)


def test_two_runs_are_compared_by_keys(page: Page, start: str) -> None:
    for box in page.get_by_label("Compare", exact=False).all():
        box.focus()
        page.keyboard.press("Space")
    page.locator("#actions a").focus()
    page.keyboard.press("Enter")
    pairs = page.locator(".card .pair")
    expect(page.locator("main [role=status]").first).to_contain_text("1 only in all of them")
    # The only photo that is changed comes first.
    expect(pairs.first).to_have_attribute("aria-label", "Open cat.jpg: 1 only in all of them")
    first, second = pairs.first.locator(".stage").all()
    expect(first.locator("g.c1 .mask[d]")).to_have_count(1)
    expect(second.locator("g")).to_have_count(0)
    take_picture(page, "serve-difference")
    page.keyboard.press("ArrowRight")
    expect(pairs.first).to_be_focused()
    page.keyboard.press("Enter")
    viewer = page.locator(".pair-viewer")
    expect(viewer.locator(".photo").first).to_be_visible()
    # Larger in both, at the same place.
    page.keyboard.press("+")
    page.keyboard.press("Shift+ArrowRight")
    styles = viewer.locator(".world").evaluate_all("all => all.map((each) => each.style.cssText)")
    assert styles[0] == styles[1] != ""
    expect(viewer.locator("output")).to_have_text("135 %")
    name = viewer.locator("h2").text_content()
    page.keyboard.press("ArrowRight")
    expect(viewer.locator("h2")).not_to_have_text(name or "")
    page.keyboard.press("ArrowLeft")
    expect(viewer.locator("h2")).to_have_text(name or "")
    page.keyboard.press("Escape")
    expect(pairs.first).to_be_focused()
    page.get_by_label("Order").select_option("name")
    expect(page.locator(".card bdi").first).to_have_text("astronaut.jpg")


def test_the_wheel_enlarges_both_at_the_pointer(page: Page, start: str) -> None:
    page.goto(f"{start}/#/difference?first=all+of+them&second=without+the+cat&photo=dog.jpg")
    page.reload()
    frames = page.locator(".pair-viewer .frame")
    expect(frames.nth(1).locator(".photo")).to_be_visible()
    box = frames.nth(1).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.wheel(0, -400)
    worlds = page.locator(".pair-viewer .world")
    expect(page.locator(".pair-viewer output")).not_to_have_text("100 %")
    left, right = worlds.evaluate_all("all => all.map((each) => each.style.cssText)")
    assert left == right
    before = worlds.first.bounding_box()
    page.mouse.down()
    page.mouse.move(box["x"] - 25, box["y"] - 5)
    page.mouse.up()
    after = worlds.first.bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] - before["x"] == pytest.approx(-30, abs=1.5)


def test_axe_finds_no_violation_and_targets_are_large_enough(
    browser: Browser, runs: Path, serve: Serve
) -> None:
    page, violations = browser.new_page(), list[str]()
    compared = "#/difference?first=all+of+them&second=without+the+cat"
    views = {"": ".run img", compared: ".pair .photo", f"{compared}&photo=cat.jpg": ".frame .photo"}
    with served(page, serve(runs)) as address:
        for width, scheme in ((1400, "light"), (390, "dark")):
            page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
            page.set_viewport_size({"width": width, "height": 844})
            for path, shown in views.items():
                page.goto("about:blank")
                page.goto(f"{address}/{path}")
                expect(page.locator(shown).first).to_be_visible()
                if not path:
                    page.get_by_label("Compare all of them").check()
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                for violation in Axe().run(page).response["violations"]:
                    nodes = [node["html"][:200] for node in violation["nodes"]]
                    violations.append(f"{path} {scheme}: {violation['id']}: {nodes}")
        small = page.locator("button:visible, select:visible, label:visible").evaluate_all(
            "all => all.filter((each) => each.getBoundingClientRect().height < 44).length"
        )
        assert small == 0
    page.close()
    assert not violations

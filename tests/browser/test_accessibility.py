"""What people need who see, hear, point or type otherwise: axe-core, focus, targets of fingers."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from heap.categories.edit import rename
from heap.store.editing import Editor

from .opening import Serve, choose, open_page

Opening = Callable[[Page, str], None]
_FOCUS_IN = "id => document.getElementById(id).contains(document.activeElement)"


@pytest.fixture(scope="module")
def looked_at(
    demo_run: Path, tmp_path_factory: pytest.TempPathFactory, serve: Serve
) -> Iterator[str]:
    """A run with a correction in its history, for tests that change nothing."""
    run = Path(shutil.copytree(demo_run, tmp_path_factory.mktemp("runs") / "demo"))
    with Editor(run) as editor, editor.correct("named category 2 “birds”", "Ada"):
        rename(editor, {2: "birds"})
    with serve(run) as address:
        yield address


def view(path: str, shown: str) -> Opening:
    def opened(page: Page, address: str) -> None:
        open_page(page, address, path)
        expect(page.locator(shown).first).to_be_visible()

    return opened


def editor(page: Page, address: str) -> None:
    view("#/image?key=chickens.jpg", ".frame .mask[d]")(page, address)
    expect(page.locator("#nearest .tile").first).to_be_visible()
    page.keyboard.press("p")
    expect(page.locator(".editor")).to_be_visible()


def selection(page: Page, address: str) -> None:
    view("#/category/1", ".tile")(page, address)
    choose(page, page.locator("main .tile").first)
    expect(page.locator("#actions")).to_be_visible()


def sheet(name: str, key: str = "", button: str = "") -> Opening:
    def opened(page: Page, address: str) -> None:
        selection(page, address) if name == "move" else view("", ".tile")(page, address)
        page.keyboard.press(key) if key else page.locator(button).click()
        expect(page.locator(f"#{name}-sheet")).to_be_visible()

    return opened


def sorting(page: Page, address: str) -> None:
    view("", ".tile")(page, address)
    page.get_by_role("button", name="Sort again").click()
    expect(page.locator(".proposed .photo").first).to_be_visible()


VIEWS: dict[str, Opening] = {
    "categories": view("", ".tile"),
    "category": view("#/category/1", ".tile"),
    "selection": selection,
    "rejected": view("#/rejected", "main h2"),
    "images": view("#/images", ".card"),
    "failed": view("#/images?kind=failed", ".tabs"),
    "image and search": view("#/image?key=cat.jpg", "#nearest .tile"),
    "editor": editor,
    "review": view("#/review", ".review .frame"),
    "history": sheet("history", button="#history"),
    "export": sheet("export", button="#export"),
    "move": sheet("move", key="v"),
    "keys": sheet("keys", key="?"),
    "sort": sorting,
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation_in_any_view(
    page: Page, looked_at: str, theme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    axe, violations = Axe(), list[str]()
    for name, opened in VIEWS.items():
        page.goto("about:blank")
        opened(page, looked_at)
        for violation in axe.run(page).response["violations"]:
            nodes = [node["html"][:200] for node in violation["nodes"]]
            violations.append(f"{name}: {violation['id']}: {violation['help']}: {nodes}")
    page.goto("about:blank")
    assert not violations


def test_dialogs_keep_the_focus_and_give_it_back(page: Page, looked_at: str) -> None:
    open_page(page, looked_at)
    for button, name in (("#export", "export"), ("#history", "history"), ("#keys", "keys")):
        page.locator(button).focus()
        page.keyboard.press("Enter")
        expect(page.locator(f"#{name}-sheet")).to_be_visible()
        for _ in range(12):
            assert page.evaluate(_FOCUS_IN, f"{name}-sheet") or page.evaluate(
                "document.activeElement === document.body"  # The controls of the browser itself.
            )
            page.keyboard.press("Tab")
        behind = page.locator("#theme")
        with pytest.raises(Exception, match="intercepts pointer events"):
            behind.click(timeout=300)
        page.keyboard.press("Escape")
        expect(page.locator(f"#{name}-sheet")).to_be_hidden()
        expect(page.locator(button)).to_be_focused()
    page.goto("about:blank")


def test_who_moves_objects_by_keys_goes_on_where_they_were(page: Page, address: str) -> None:
    open_page(page, address, "#/category/1")
    tiles = page.locator("main .tile")
    second = tiles.nth(1).get_attribute("data-id")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    page.keyboard.press("v")
    page.keyboard.type("odd ones")
    page.keyboard.press("Enter")
    expect(tiles.first).to_have_attribute("data-id", second or "")
    expect(tiles.first.locator("a")).to_be_focused()
    page.keyboard.press("t")
    expect(page.locator(".name")).to_be_focused()
    page.keyboard.type("beasts")
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text("“beasts”")
    expect(tiles.first.locator("a")).to_be_focused()


def test_targets_of_fingers_are_large_enough_in_every_view(
    browser: Browser, looked_at: str
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page, small = context.new_page(), list[str]()
    for name, opened in VIEWS.items():
        if name == "keys":
            continue  # A telephone has none.
        page.goto("about:blank")
        opened(page, looked_at)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        # A label is the target of what is in it; links inside of a sentence are as high as it.
        small += page.locator(
            "button:visible, select:visible, summary:visible, nav a:visible, label:visible,"
            " input:not([type=checkbox], [type=radio]):visible, a.all:visible"
        ).evaluate_all(
            """(all, name) => all.map((one) => [one, one.getBoundingClientRect()])
              .filter(([, { width, height }]) => height && (height < 44 || width < 44))
              .map(([one, { width, height }]) => [name, Math.round(width), Math.round(height),
                one.outerHTML.slice(0, 120)].join(" "))""",
            name,
        )
    context.close()
    assert small == []

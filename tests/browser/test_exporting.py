"""Exports from the page: of all, of a category and of a selection."""

import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

import heap

from .opening import choose, open_page


def exported(page: Page) -> None:
    page.locator("#export-sheet").get_by_role("button", name="Export").click()
    expect(page.locator("#export-title")).to_have_text("Exported")


def test_a_run_is_exported(page: Page, address: str, tmp_path: Path) -> None:
    open_page(page, address)
    page.locator("#export").click()
    page.get_by_text("YOLO", exact=True).click()
    expect(page.get_by_label("with the photos")).to_be_checked()
    page.locator("select[name=split]").select_option("train=0.8,val=0.2")
    exported(page)
    expect(page.locator("#export-sheet")).to_contain_text("17 images")
    with page.expect_download() as download:
        page.locator("#archive").click()
    download.value.save_as(tmp_path / "export.zip")
    assert download.value.suggested_filename == "holiday photos-yolo.zip"
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        names = archive.namelist()
        assert "animals" in archive.read("data.yaml").decode()
    assert sum(name.startswith("images/") and name.endswith(".jpg") for name in names) == 17


def test_a_category_is_exported_without_the_photos(page: Page, address: str, run: Path) -> None:
    open_page(page, address, "#/category/1")
    page.locator("main").get_by_role("button", name="Export …").click()
    expect(page.locator("#export-title")).to_have_text("Export “animals”")
    page.get_by_text("YOLO", exact=True).click()
    page.get_by_label("with the photos").uncheck()
    exported(page)
    size = heap.open(run).categories[0].size
    expect(page.locator("#export-sheet")).to_contain_text(f"{size} objects")
    expect(page.locator("#export-sheet")).to_contain_text("holiday photos/export-yolo-selection")
    folder = run / "export-yolo-selection"
    assert "animals" in (folder / "data.yaml").read_text()
    lines = [line for path in (folder / "labels").rglob("*.txt")
             for line in path.read_text().splitlines()]  # fmt: skip
    assert len(lines) == size
    assert {line.split()[0] for line in lines} == {"0"}
    assert not list(folder.rglob("*.jpg"))


def test_what_is_selected_is_exported_by_keys(page: Page, address: str, run: Path) -> None:
    open_page(page, address, "#/category/1")
    tiles = page.locator("main .tile")
    first = tiles.nth(0).get_attribute("data-id")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    expect(page.locator(".tile.chosen")).to_have_count(1)
    page.keyboard.press("o")
    expect(page.locator("#export-title")).to_have_text("Export 1 object")
    page.keyboard.press("Enter")
    expect(page.locator("#export-title")).to_have_text("Exported")
    table = (run / "export-coco-selection" / "photos.csv").read_text()
    assert (first or "").rpartition("#")[0] in table
    page.keyboard.press("Escape")
    expect(page.locator(".tile.chosen")).to_have_count(1)


def test_what_cannot_be_exported_is_said_in_the_sheet(page: Page, address: str, run: Path) -> None:
    (run / "export-csv").mkdir()
    (run / "export-csv" / "mine.txt").write_text("mine")
    open_page(page, address)
    choose(page, page.locator(".strips .strip header").first)
    page.locator("#actions").get_by_role("button", name="Export …").click()
    page.get_by_text("CSV", exact=True).click()
    exported(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.locator("#export").click()
    page.get_by_text("CSV", exact=True).click()
    page.locator("#export-sheet").get_by_role("button", name="Export").click()
    expect(page.locator("#export-title")).to_have_text("That did not work")
    expect(page.locator("#export-sheet")).to_contain_text("export-csv")
    page.get_by_role("button", name="Back").click()
    expect(page.locator("#export-title")).to_have_text("Export")
    assert (run / "export-csv" / "mine.txt").read_text() == "mine"

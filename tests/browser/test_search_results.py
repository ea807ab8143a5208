"""What a search finds is narrowed by similarity, selected, and made a category, in a browser."""

from pathlib import Path

from playwright.sync_api import Page, expect

import heap

from .opening import open_page


def test_results_at_least_so_alike_become_a_category(page: Page, address: str, run: Path) -> None:
    hits = heap.open(run).search(object_id="chickens.jpg#0", count=200)
    least = round(hits[3].similarity - 0.005, 2)
    wanted = [hit.id for hit in hits if hit.similarity >= least]
    assert 0 < len(wanted) < len(hits)
    open_page(page, address, "#/image?key=chickens.jpg&object=chickens.jpg%230")
    near = page.locator("#nearest .tile")
    expect(near).to_have_count(min(24, len(hits)))
    page.get_by_label("Least similarity").fill(str(least))
    expect(near).to_have_count(len(wanted))
    expect(page.locator("#nearest output")).to_have_text(
        f"{len(wanted)} objects at {least:.2f} or more"
    )
    page.get_by_role("button", name="Select them").click()
    expect(page.locator("#actions")).to_contain_text(f"{len(wanted)} objects")
    page.keyboard.press("v")
    page.keyboard.type("alike")
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text("are the new category “alike”")
    made = heap.open(run).categories[-1]
    members = heap.open(run).objects.to_pandas(f"category = {made.id}")["id"]
    assert (made.name, set(members)) == ("alike", set(wanted))

"""What happens to a run while its page is open."""

import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

import heap
from heap.base.lock import RunLock
from heap.categories.edit import rename
from heap.store.editing import Editor

from .opening import choose, open_page


def test_what_another_process_changes_is_offered(page: Page, address: str, run: Path) -> None:
    open_page(page, address)
    with Editor(run) as editor:
        rename(editor, {2: "elsewhere"})
    page.locator("#changed").click(timeout=20_000)
    expect(page.locator(".name").nth(1)).to_have_value("elsewhere")
    expect(page.locator("#changed")).to_be_hidden()


def test_a_correction_of_this_page_is_no_news_to_it(page: Page, address: str) -> None:
    open_page(page, address)
    # A hidden button that is shown for a moment only is seen by nobody but this.
    page.evaluate(
        """() => { window.shown = 0; new MutationObserver(() => {
          if (!document.getElementById("changed").hidden) window.shown += 1;
        }).observe(document.getElementById("changed"), { attributes: true }); }"""
    )
    for name in ("a", "b", "c"):
        page.locator(".name").first.fill(name)
        page.locator(".name").first.press("Enter")
        expect(page.locator(".toast").last).to_contain_text(f"“{name}”")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.shown") == 0


def test_while_discover_runs_its_progress_is_shown_and_corrections_wait(
    page: Page, address: str, run: Path
) -> None:
    open_page(page, address)
    bar = page.locator("#live")
    expect(bar).to_be_hidden()
    choose(page, page.locator(".strips .strip header").first)
    with RunLock(run) as lock:
        lock.tell({"stage": "objects", "done": 120, "total": 300, "rate": 1.5})
        expect(bar).to_contain_text("heap discover is at work on this run")
        expect(bar).to_contain_text("120 of 300 images, 1.5 images a second, about 2 minutes left")
        expect(bar.locator("progress")).to_have_js_property("value", 120)
        again = page.get_by_role("button", name="Sort again")
        expect(again).to_be_disabled()
        expect(again).to_have_attribute("title", re.compile("Corrections wait until it has ended"))
        expect(page.locator(".name").first).to_be_disabled()
        actions = page.locator("#actions")
        expect(actions.get_by_role("button", name="Reject")).to_be_disabled()
        expect(actions.get_by_role("button", name="Export …")).to_be_enabled()
        page.keyboard.press("x")
        expect(page.locator(".toast")).to_contain_text("Corrections wait")
        lock.tell({"stage": "objects", "done": 290, "total": 300, "rate": 0.5})
        expect(bar).to_contain_text("30 images a minute, less than a minute left")
    expect(bar).to_be_hidden()
    expect(again).to_be_enabled()
    expect(page.locator(".name").first).to_be_enabled()
    assert not any(category.rejected for category in heap.open(run).categories)


def test_a_bar_says_that_the_server_is_gone_and_goes_when_it_is_back(
    browser: Browser, run: Path
) -> None:
    # Browsers tell the console of every try that fails, so that this is no `page`.
    page = browser.new_page()

    def start(port: int) -> tuple["subprocess.Popen[str]", str]:
        command = [sys.executable, "-m", "heap", "serve", str(run), "--port", str(port)]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert child.stderr is not None
        found = re.search(r"http://\S+?:\d+", child.stderr.readline())
        assert found
        return child, found[0]

    server, address = start(0)
    try:
        open_page(page, address)
        server.terminate()
        server.communicate()
        bar = page.locator("#live")
        expect(bar).to_contain_text("heap serve does not answer")
        expect(page.get_by_role("button", name="Sort again")).to_be_disabled()
        server, _ = start(int(address.rpartition(":")[2]))
        expect(bar).to_be_hidden(timeout=30_000)
        field = page.locator(".name").first
        expect(field).to_be_enabled()
        field.fill("back")
        field.press("Enter")
        expect(page.locator(".toast")).to_contain_text("“back”")
    finally:
        page.close()
        server.terminate()
        server.communicate()

"""A person who makes a data set of a run in the browser: by mouse, or by keyboard alone.

The person knows the class of every object that they see, and does nothing but what the page offers:
each click and each key is counted. Categories are made, named and joined by the class of most of
their members; then each is looked through, and what does not belong there is moved or rejected.
"""

import re
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heap.base.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_PATIENCE = 120_000
"""Milliseconds that an answer may take on a machine that does other things."""
_POLL = 20
_GRID = "main > .bed"


@dataclass
class Step:
    """Part of the job, and what it took."""

    name: str
    clicks: int = 0
    keys: int = 0
    """Presses of keys, letters of names included."""
    seconds: float = 0.0


class Person(ABC):
    """Person at a page of `heap serve`, who wants objects in categories of these names."""

    def __init__(self, page: "Page", classes: Mapping[str, str], names: Sequence[str]) -> None:
        page.set_default_timeout(_PATIENCE)
        self.page, self.names = page, names
        self.classes = classes
        """Class by the id of an object; what is not in it is no object that anybody wants."""
        self.steps: list[Step] = []

    def do(self, count: int) -> Iterator[str]:
        """Do the whole job from `count` categories on; stop after each step, to be looked at."""
        steps: dict[str, Callable[[], None]] = {
            "sort": lambda: self.sort(count),
            "name and join": self.name_all,
            "look through": self.look_through,
            "export": self.export,
        }
        for name, work in steps.items():
            with self._step(name):
                work()
            yield name

    @abstractmethod
    def sort(self, count: int) -> None:
        """Have the objects sorted into so many categories."""

    @abstractmethod
    def name_all(self) -> None:
        """Make one named category of all in which most objects are of one class, reject others."""

    @abstractmethod
    def look_through(self) -> None:
        """Move or reject, in each category, what is of another class."""

    @abstractmethod
    def export(self) -> None:
        """Export YOLO boxes, with the photos."""

    def click(self, target: "Locator", *modifiers: str) -> None:
        """Click once."""
        self.steps[-1].clicks += 1
        target.click(modifiers=list(modifiers))  # type: ignore[arg-type]

    def press(self, key: str, times: int = 1) -> None:
        """Press a key, or keys at once."""
        self.steps[-1].keys += times
        for _ in range(times):
            self.page.keyboard.press(key)

    def write(self, text: str) -> None:
        """Type a text."""
        self.steps[-1].keys += len(text)
        self.page.keyboard.type(text)

    def wanted(self, members: Sequence[str]) -> str:
        """Class of most of the objects of a category that anybody wants; empty without any."""
        counts = Counter(self.classes[id] for id in members if id in self.classes)
        return max(counts, key=lambda name: (counts[name], name)) if counts else ""

    def strips(self) -> list[tuple[int, list[str]]]:
        """Numbers of the categories as the page shows them, and their members."""
        shown: list[tuple[int, list[str]]] = self.page.evaluate(
            """async () => { const { run } = await import("./static/run.js");
              return [...document.querySelectorAll(".strips .strip")].map((strip) =>
                Number(strip.dataset.category)).map((id) =>
                [id, run.groups.get(id).members.map((one) => one.id)]); }"""
        )
        return shown

    def settle(self) -> None:
        """Wait until the page shows what was changed."""
        until = time.monotonic() + _PATIENCE / 1000
        while not self.page.evaluate(
            """async () => { const { isCorrecting } = await import("./static/run.js");
              return !isCorrecting() && !document.querySelector("dialog[open]"); }"""
        ):
            if time.monotonic() > until:
                raise InputError("a correction has no end")
            self.page.wait_for_timeout(_POLL)

    def grid(self) -> list[str]:
        """Objects of the category that is open, in the order in which they are shown."""
        shown: list[str] = self.page.evaluate(
            """async (bed) => { const { allBoards } = await import("./static/board.js");
              return allBoards().find((board) => board.bed.matches(bed)).items.map(({ id }) => id);
            }""",
            _GRID,
        )
        return shown

    def misplaced(self, name: str) -> dict[str, list[str]]:
        """Objects of the open category that are not of its class, by the class that they are of."""
        others: dict[str, list[str]] = {}
        for id in self.grid():
            label = self.classes.get(id, "")
            if label != name:
                others.setdefault(label, []).append(id)
        return others

    def titled(self) -> dict[str, int]:
        """Numbers of the categories by their names."""
        table: dict[str, int] = self.page.evaluate(
            """async () => { const { run } = await import("./static/run.js");
              return Object.fromEntries(run.categories.map(({ id, title }) => [title, id])); }"""
        )
        return table

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.steps.append(Step(name))
        began = time.monotonic()
        yield
        self.steps[-1].seconds = time.monotonic() - began


class Mouse(Person):
    """By mouse; only names and numbers are typed."""

    def sort(self, count: int) -> None:
        """By the button of the categories."""
        self.click(self.page.locator("nav [data-view=categories]"))
        self.click(self.page.get_by_role("button", name="Sort").first)
        sheet = self.page.locator("#sort-sheet")
        self.click(sheet.locator("input[type=number]"))
        sheet.locator("input[type=number]").fill("")
        self.write(str(count))
        self.click(sheet.locator("button.strong"))
        self.settle()

    def name_all(self) -> None:
        """By writing over the name of the largest, ticking the others, and the bar below."""
        page, groups = self.page, dict[str, list[int]]()
        for id, members in self.strips():
            if id > 0:
                groups.setdefault(self.wanted(members), []).append(id)
        for name, ids in groups.items():
            if name:
                field = page.locator(f".strip[data-category='{ids[0]}'] .name")
                self.click(field)
                self.write(name)
                self.press("Enter")
                self.settle()
            if name and len(ids) == 1:
                continue
            for id in ids:
                self.click(page.locator(f"[data-chooses='{id}']"))
            self._act("Merge into" if name else "Reject")

    def look_through(self) -> None:
        """By clicks on what does not belong there, then the bar below."""
        page = self.page
        for name, id in [*self.titled().items(), ("", 0)]:
            if name and name not in self.names:
                continue
            link = page.locator(f".strip[data-category='{id}'] .all")
            if not link.count():
                continue
            self.click(link)
            page.locator(f"{_GRID} .tile").first.wait_for()
            for label, ids in self.misplaced(name).items():
                self._select(ids)
                if not label:
                    self._act("Reject")
                    continue
                self.click(page.locator("#actions").get_by_role("button", name="Move …"))
                # The whole word: a category without a name is called "category 3".
                word = re.compile(rf"\b{re.escape(label)}\b")
                choice = page.locator("#move-sheet .choice", has_text=word).first
                page.locator("#move-sheet[open]").wait_for()
                if choice.count():
                    self.click(choice)
                else:
                    # No category is mostly of this class: it becomes one.
                    self.write(label)
                    self.press("Enter")
                self.settle()
            self.click(page.locator("nav [data-view=categories]"))
            # Or the next category is taken for one that is empty.
            page.locator(".strips .tile").first.wait_for()

    def export(self) -> None:
        """By the button of the page."""
        page = self.page
        self.click(page.locator("#export"))
        self.click(page.get_by_text("YOLO, boxes", exact=True))
        self.click(page.locator("#export-sheet").get_by_role("button", name="Export"))
        page.locator("#archive").wait_for()

    def _act(self, text: str) -> None:
        self.click(self.page.locator("#actions").get_by_role("button", name=text))
        self.settle()

    def _select(self, ids: Sequence[str]) -> None:
        """Click on objects from the first to the last; turning the wheel is no click."""
        for id in ids:
            tile = self.page.locator(f"{_GRID} .tile[data-id='{id}'] a")
            self.page.evaluate(
                """async ([bed, id]) => { const { allBoards } = await import("./static/board.js");
                  const board = allBoards().find((one) => one.bed.matches(bed));
                  const { y } = board.laid.cell(board.places.get(id));
                  scrollTo(0, board.bed.offsetTop + y - innerHeight / 2); }""",
                [_GRID, id],
            )
            self.click(tile, "ControlOrMeta")


class Keyboard(Person):
    """By keyboard alone."""

    def sort(self, count: int) -> None:
        """By Tab to the button of the categories."""
        page = self.page
        self.press("c")
        sort = page.get_by_role("button", name="Sort").first
        sort.wait_for()
        for _ in range(100):
            if sort.evaluate("element => element === document.activeElement"):
                break
            self.press("Tab")
        else:
            raise InputError("the button that sorts cannot be reached by Tab")
        self.press("Enter")
        # From the slider to the field beside it.
        self.press("Tab")
        self.press("ControlOrMeta+a")
        self.write(str(count))
        self.press("Enter")
        self.settle()

    def name_all(self) -> None:
        """By moving all of the first category that has no name yet to where it belongs."""
        while waiting := [
            (id, members) for id, members in self.strips() if id > 0 and id not in self._named()
        ]:
            id, members = waiting[0]
            name = self.wanted(members)
            self._go_to_strip(id)
            self.press("ControlOrMeta+a")
            if name:
                self._move(name)
            else:
                self.press("x")
                self.settle()

    def look_through(self) -> None:
        """By arrows and Space in the grid of each category."""
        page = self.page
        waiting = [*((name, self.titled()[name]) for name in self.names if name in self.titled())]
        for name, id in [*waiting, ("", 0)]:
            if id not in [number for number, _ in self.strips()]:
                continue
            self._go_to_strip(id)
            self.press("Shift+Tab")
            self.press("Enter")
            page.locator(f"{_GRID} .tile").first.wait_for()
            for label, ids in self.misplaced(name).items():
                self._select(ids)
                if label:
                    self._move(label)
                else:
                    self.press("x")
                    self.settle()
            self.press("c")
            page.locator(".strips .tile").first.wait_for()

    def export(self) -> None:
        """By its key."""
        page = self.page
        self.press("o")
        page.locator("#export-sheet input[name=format]:checked").wait_for()
        while page.locator("#export-sheet input:checked[value=yolo-detect]").count() == 0:
            self.press("ArrowDown")
        self.press("Enter")
        page.locator("#archive").wait_for()
        self.press("Escape")

    def _named(self) -> set[int]:
        return {id for title, id in self.titled().items() if title in self.names}

    def _move(self, name: str) -> None:
        self.press("v")
        self.page.locator("#move-sheet[open]").wait_for()
        self.write(name)
        self.press("Enter")
        self.settle()

    def _go_to_strip(self, id: int) -> None:
        """Go to a category by the arrows, from the one that the keyboard is in."""
        order = [number for number, _ in self.strips()]
        for _ in range(len(order) + 2):
            here = self.page.evaluate(
                "document.activeElement.closest('.strip')?.dataset.category ?? null"
            )
            if here is None:
                self.press("ArrowRight")
            elif int(here) == id:
                return
            else:
                down = order.index(int(here)) < order.index(id)
                self.press("ArrowDown" if down else "ArrowUp")
        raise InputError(f"category {id} cannot be reached by the arrows")

    def _select(self, ids: Sequence[str]) -> None:
        """Go to each by the arrows, down and along, and select it."""
        for id in ids:
            self._go(id)
            self.press("Space")

    def _go(self, id: str) -> None:
        places = {id: place for place, id in enumerate(self.grid())}
        for _ in range(len(places) + 2):
            here = self.page.evaluate("document.activeElement.closest('.tile')?.dataset.id")
            if here == id:
                return
            across = self.page.evaluate(
                """async (bed) => { const { allBoards } = await import("./static/board.js");
                  const { laid, items } = allBoards().find((board) => board.bed.matches(bed));
                  let at = 0;
                  while (at < items.length && laid.cell(at).y === 0) at += 1;
                  return at; }""",
                _GRID,
            )
            if here is None:
                self.press("ArrowRight")
                continue
            rows = places[id] // across - places[here] // across
            if rows and places[here] + (across if rows > 0 else -across) in range(len(places)):
                self.press("ArrowDown" if rows > 0 else "ArrowUp")
            else:
                self.press("ArrowRight" if places[id] > places[here] else "ArrowLeft")
        raise InputError(f"{id} cannot be reached by the arrows")

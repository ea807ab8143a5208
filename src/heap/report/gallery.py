"""The gallery: one self-contained page with every image of a run and what was found in it."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from heap.base.files import replacing
from heap.base.progress import OnProgress, silent
from heap.categories.standing import Standing, Strip, read_standing
from heap.images.failures import Failure
from heap.masks.palette import OBJECTS
from heap.report.cards import Card, make_card
from heap.store.store import RunStore

GALLERY = "gallery.html"
"""Where the gallery of a run is, in its folder."""

_FOLDER = files("heap.report") / "templates"
_STYLES = ("gallery.css", "gallery.strips.css", "gallery.viewer.css")
_EARLY_SCRIPT = "gallery.theme.js"
"""Runs before anything is shown."""
_SCRIPTS = (
    "gallery.pictures.js", "gallery.images.js", "gallery.strips.js", "gallery.viewer.js",
    "gallery.controls.js",
)  # fmt: skip
"""Run when all of the page is there."""


@dataclass(frozen=True)
class Page:
    """What is on the page."""

    title: str
    summary: Mapping[str, str]
    """Shown at its top."""
    cards: Iterable[Card]
    """Taken one at a time."""
    failures: Iterable[Failure]
    strips: tuple[Strip, ...] = ()
    """Of the view of categories; without any there is no such view."""


def write_gallery(store: RunStore, path: Path, on_progress: OnProgress = silent) -> None:
    """Write the gallery of a run, as it is now, one image at a time in memory.

    Raises:
        InputError: if the file cannot be written.
        StoreError: if the store is damaged.
    """
    standing = read_standing(store)
    page = Page(
        title=path.resolve().parent.name,
        summary=_summary(store, standing),
        cards=_cards(store, standing, on_progress),
        failures=store.failures(),
        strips=standing.strips,
    )
    write_page(page, path)


def write_page(page: Page, path: Path) -> None:
    """Write a page that needs no network and loads nothing.

    Names and messages are text in it, whatever they contain, and its own policy forbids any script
    but the one that it comes with. Pictures and outlines are in it once, as text that its script
    makes pictures of where they come into view.

    Raises:
        InputError: if the file cannot be written.
    """
    style, script = _style(), _script()
    parts = _environment().get_template("gallery.html.j2").generate(
        page=page,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        version=version("heap"),
    )  # fmt: skip
    with replacing(path) as file:
        for part in parts:
            # A message may quote a file name that is not UTF-8.
            file.write(part.encode(errors="backslashreplace"))


def _cards(store: RunStore, standing: Standing, on_progress: OnProgress) -> Iterator[Card]:
    counts = store.counts()
    total = counts.done + counts.empty
    for done, record in enumerate(store.records()):
        on_progress("gallery", done, total)
        yield make_card(record, standing)
    on_progress("gallery", total, total)


def _summary(store: RunStore, standing: Standing) -> dict[str, str]:
    counts = store.counts()
    summary = {
        "images": str(counts.done + counts.empty + counts.failed),
        "objects": str(counts.objects - len(standing.refused)),
    }
    if standing.refused:
        summary["rejected"] = str(len(standing.refused))
    if standing.strips:
        summary["categories"] = str(sum(strip.id > 0 for strip in standing.strips))
    summary["nothing found in"] = str(counts.empty)
    summary["failed"] = str(counts.failed)
    # Runs that were not made by `heap discover` may say nothing of a model.
    features = store.config.get("model", {}).get("features", {})
    return summary | ({"encoder": str(features["encoder"])} if "encoder" in features else {})


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("heap.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _style() -> str:
    colours = "".join(f".c{index}{{--c:{colour}}}\n" for index, colour in enumerate(OBJECTS))
    return colours + "".join((_FOLDER / name).read_text("utf-8") for name in _STYLES)


def _script() -> str:
    late = "".join((_FOLDER / name).read_text("utf-8") for name in _SCRIPTS)
    early = (_FOLDER / _EARLY_SCRIPT).read_text("utf-8")
    return f'{early}document.addEventListener("DOMContentLoaded", () => {{\n{late}}});\n'


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

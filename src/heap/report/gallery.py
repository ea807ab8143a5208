"""The gallery: one self-contained page with every image of a run and what was found in it."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from heap.collection.records import Failure, Finished
from heap.report.files import replacing
from heap.report.outlines import data_uri, regions_png, svg_path
from heap.report.palette import OBJECTS
from heap.report.scaling import THUMBNAIL_SIDE, fitted, scaled_mask
from heap.results import ImageResult

LOW_CONFIDENCE = 0.25
"""An image whose best object scores less is listed as one to look at."""
_OUTLINE_SIDE = THUMBNAIL_SIDE * 2
"""Outlines are finer than the previews, because they stay sharp when these are enlarged."""
_REGIONS_SIDE = THUMBNAIL_SIDE // 2


@dataclass(frozen=True)
class Shape:
    """An object as it is drawn; `frame` is x, y, width and height on the canvas."""

    colour: int
    path: str
    frame: tuple[float, ...]
    box: str
    score: str


@dataclass(frozen=True)
class Card:
    """An image as it is shown."""

    name: str
    note: str
    width: int
    height: int
    preview: tuple[int, int]
    """Width and height of the thumbnail, in pixels."""
    canvas: tuple[int, int]
    """Width and height that the shapes are given at."""
    thumbnail: str
    regions: str
    shapes: list[Shape]
    best: float
    kind: str
    """`none`: no object; `low`: none that is certain; else `sure`."""


def write_gallery(
    records: Iterable[Finished],
    failures: Iterable[Failure],
    path: Path,
    *,
    title: str,
    summary: Mapping[str, str],
) -> None:
    """Write the page, one image at a time in memory; `summary` is shown at its top.

    The page needs no network and loads nothing: thumbnails are inside, masks are outlines drawn
    over them. Names and messages are text in it, whatever they contain, and its own policy forbids
    any script but the one that it comes with.

    Raises:
        InputError: if the file cannot be written.
    """
    folder = files("heap.report") / "templates"
    style = _colour_rules() + (folder / "gallery.css").read_text("utf-8")
    script = (folder / "gallery.js").read_text("utf-8")
    page = _environment().get_template("gallery.html.j2")
    parts = page.generate(
        title=title,
        summary=summary,
        cards=map(make_card, records),
        failures=failures,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        version=version("heap"),
    )
    with replacing(path) as file:
        for part in parts:
            # A message may quote a file name that is not UTF-8.
            file.write(part.encode(errors="backslashreplace"))


def make_card(record: Finished) -> Card:
    """What the page shows of one image."""
    result = record.result
    size = (result.width, result.height)
    preview = fitted(size, THUMBNAIL_SIDE)
    canvas = fitted(size, _OUTLINE_SIDE, enlarge=True)
    best = float(max(result.objects.scores, default=0))
    return Card(
        name=result.key,
        note=record.note,
        width=result.width,
        height=result.height,
        preview=preview,
        canvas=canvas,
        thumbnail=data_uri("image/jpeg", record.thumbnail) if record.thumbnail else "",
        regions=data_uri("image/png", regions_png(result.regions, fitted(size, _REGIONS_SIDE))),
        shapes=list(_shapes(result, canvas)),
        best=round(best, 4),
        kind="none" if not len(result.objects) else "low" if best < LOW_CONFIDENCE else "sure",
    )


def _shapes(result: ImageResult, canvas: tuple[int, int]) -> Iterator[Shape]:
    objects = result.objects
    across, down = canvas[0] / result.width, canvas[1] / result.height
    for index, (mask, box) in enumerate(zip(objects.masks, objects.boxes.tolist(), strict=True)):
        x1, y1, x2, y2 = box
        frame = (x1 * across, y1 * down, (x2 - x1) * across, (y2 - y1) * down)
        yield Shape(
            colour=index % len(OBJECTS),
            path=svg_path(scaled_mask(mask.decode(), canvas)),
            frame=tuple(round(edge, 1) for edge in frame),
            box=" ".join(f"{edge:.0f}" for edge in box),
            score=f"{objects.scores[index]:.2f}",
        )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("heap.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _colour_rules() -> str:
    return "".join(f".c{index}{{--c:{colour}}}\n" for index, colour in enumerate(OBJECTS))


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

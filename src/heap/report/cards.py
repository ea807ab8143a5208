"""What the gallery shows of one image: its thumbnail, its regions and the outlines of objects."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from heap.categories.standing import Place, Standing
from heap.masks.palette import OBJECTS
from heap.masks.scaling import THUMBNAIL_SIDE, fitted, scaled_mask
from heap.report.outlines import canvas_of, region_map, svg_path
from heap.report.tiles import square_around
from heap.store.records import Finished

LOW_CONFIDENCE = 0.25
"""An image whose best object scores less is listed as one to look at."""
_NOTHING_SAID = Standing()


@dataclass(frozen=True)
class Shape:
    """An object as it is drawn."""

    index: int
    """Its place in its image, from 0."""
    colour: int
    path: str
    frame: tuple[float, ...]
    """x, y, width and height of its box on the canvas."""
    square: tuple[float, ...]
    """x, y and side of what a tile shows, on the canvas."""


@dataclass(frozen=True)
class Fact:
    """What is said of an object beside its picture."""

    index: int
    colour: int
    score: str
    box: str
    place: Place | None
    """None if the objects of the run were never sorted."""


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
    thumbnail: bytes
    """A JPEG; may be empty."""
    regions: bytes
    """A PNG."""
    shapes: tuple[Shape, ...]
    facts: tuple[Fact, ...]
    """Of the same objects."""
    best: float
    kind: str
    """`none`: no object; `low`: none that is certain; else `sure`."""

    @property
    def drawing(self) -> dict[str, Any]:
        """All that is drawn, as JSON."""
        return {
            "canvas": self.canvas,
            "photo": b64encode(self.thumbnail).decode(),
            "regions": b64encode(self.regions).decode(),
            "shapes": [asdict(shape) for shape in self.shapes],
        }


def make_card(record: Finished, standing: Standing = _NOTHING_SAID) -> Card:
    """What the page shows of one image; objects that were rejected are left out."""
    result = record.result
    size = (result.width, result.height)
    canvas = canvas_of(size)
    kept = [
        index
        for index in range(len(result.objects))
        if f"{result.key}#{index}" not in standing.refused
    ]
    best = max((float(result.objects.scores[index]) for index in kept), default=0.0)
    return Card(
        name=result.key,
        note=record.note,
        width=result.width,
        height=result.height,
        preview=fitted(size, THUMBNAIL_SIDE),
        canvas=canvas,
        thumbnail=record.thumbnail,
        regions=region_map(result),
        shapes=tuple(_shapes(record, kept, canvas)),
        facts=tuple(_facts(record, kept, standing)),
        best=round(best, 4),
        kind="none" if not kept else "low" if best < LOW_CONFIDENCE else "sure",
    )


def _shapes(record: Finished, kept: list[int], canvas: tuple[int, int]) -> Iterator[Shape]:
    result = record.result
    across, down = canvas[0] / result.width, canvas[1] / result.height
    for index in kept:
        box = result.objects.boxes[index]
        x1, y1, x2, y2 = box.tolist()
        frame = (x1 * across, y1 * down, (x2 - x1) * across, (y2 - y1) * down)
        left, top, side = square_around(box, (result.width, result.height))
        yield Shape(
            index=index,
            colour=index % len(OBJECTS),
            path=svg_path(scaled_mask(result.objects.masks[index].decode(), canvas)),
            frame=tuple(round(edge, 1) for edge in frame),
            square=tuple(round(edge, 1) for edge in (left * across, top * down, side * across)),
        )


def _facts(record: Finished, kept: list[int], standing: Standing) -> Iterator[Fact]:
    objects = record.result.objects
    for index in kept:
        yield Fact(
            index=index,
            colour=index % len(OBJECTS),
            score=f"{objects.scores[index]:.2f}",
            box=" ".join(f"{edge:.0f}" for edge in objects.boxes[index].tolist()),
            place=standing.places.get(f"{record.key}#{index}"),
        )

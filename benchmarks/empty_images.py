"""Pictures without an object, cut from the background of annotated ones, in two folders.

`choose` is for choosing a threshold, `report` for what is reported at it; no two of their pictures
come from one image. Each is a data set `empty:FOLDER`. What has an object is known as far as it is
annotated: a mask of what is salient says nothing of small or unremarkable things behind it.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from cyclopts import App
from jaxtyping import Bool, UInt8
from PIL import Image
from scipy.ndimage import maximum_filter

from benchmarks.common import DATA, RUNS, Data, images_in, main, once
from benchmarks.textures import textures
from heap.benchmark.datasets import open_dataset
from heap.benchmark.truth import Example, Truth
from heap.fitting.empty import Span, largest_rectangle

CHOOSE, REPORT = "choose", "report"
LIST = "images.json"
SEED = 0
ECSSD, VOC, SYNTHETIC = 120, 80, 45
"""Most pictures of these kinds."""
REAL = 9
"""For each synthetic picture there are at least so many crops."""
MARGIN = 0.02
"""Share of the longer side; pixels nearer to an object are no background."""
CELLS = 100
"""Along the longer side: a crop begins and ends between cells."""
RATIO = 3.0
LEAST_SIDE, LEAST_AREA = 64, 0.08
"""Pixels of the shorter side of a crop, and its share of the image."""
_THUMB, _ACROSS = 120, 14


@dataclass(frozen=True)
class Kind:
    """Source of the pictures of one kind."""

    folder: str
    examples: Sequence[Example]
    boxes: bool = False
    """Whether the boxes of the annotation hold no background, as well as what it says of pixels."""
    most: int | None = None


def build_all(
    *, data: Data = DATA, out: Path = RUNS / "empty_images", sheets: Path | None = None
) -> None:
    """Make both folders, and say how many pictures each kind has.

    Args:
        data: Folder with `duts-tr`, `ecssd500` and `voc12-animals`.
        out: Folder for the two; if it is complete, nothing is done.
        sheets: Folder for a contact sheet of each kind.
    """
    counts: dict[str, int] = {}
    for row in build(data, out):
        folder = row["image"].rpartition("/")[0]
        counts[folder] = counts.get(folder, 0) + 1
    if sheets:
        for folder in counts:
            contact_sheet(images_in(out / folder), sheets / f"{folder.replace('/', '-')}.png")
    sys.stdout.write(json.dumps(counts, indent=1) + "\n")


def build(data: Path, out: Path) -> list[dict[str, Any]]:
    """Make both folders, unless they are complete; for each picture its source and box.

    The box is xyxy in the upright source; a synthetic picture has neither.

    Raises:
        InputError: if data are missing.
    """
    kinds = _kinds(data)

    def make() -> list[dict[str, Any]]:
        cut = [row for kind in kinds for row in _cut(kind, out)]
        crops = sum(row["image"].startswith(REPORT) for row in cut)
        drawn = textures(min(SYNTHETIC, crops // REAL), SEED)
        return cut + [_save(pixels, out, f"{REPORT}/synthetic/{name}") for name, pixels in drawn]

    rows: list[dict[str, Any]] = once(out / LIST, make)
    return rows


def background_box(blocked: Bool[np.ndarray, "height width"]) -> Span | None:
    """The pixels of the largest crop without a blocked one; None if it would be too small."""
    height, width = blocked.shape
    cell = max(1, round(max(height, width) / CELLS))
    rows, cols = height // cell, width // cell
    whole = blocked[: rows * cell, : cols * cell].reshape(rows, cell, cols, cell)
    free: np.ndarray = ~np.any(whole, axis=(1, 3))
    span = largest_rectangle(free, RATIO)
    if span is None:
        return None
    top, left, bottom, right = (cell * edge for edge in span)
    sides = bottom - top, right - left
    if min(sides) < LEAST_SIDE or sides[0] * sides[1] < LEAST_AREA * height * width:
        return None
    return top, left, bottom, right


def not_background(truth: Truth, *, boxes: bool) -> Bool[np.ndarray, "height width"]:
    """Pixels annotated as foreground or void, or in a box if `boxes`, and those near them."""
    assert truth.foreground is not None, "the data set has no masks"
    blocked = truth.foreground.copy()
    if truth.void is not None:
        blocked |= truth.void
    for x1, y1, x2, y2 in truth.boxes if boxes else ():
        edges = int(np.floor(y1)), int(np.ceil(y2)), int(np.floor(x1)), int(np.ceil(x2))
        y_from, y_to, x_from, x_to = np.maximum(edges, 0)
        blocked[y_from:y_to, x_from:x_to] = True
    reach = int(np.ceil(MARGIN * max(blocked.shape)))
    near: np.ndarray = maximum_filter(blocked, size=2 * reach + 1, mode="constant")
    return near


def contact_sheet(images: Sequence[Path], out: Path) -> None:
    """All images, small, on one page."""
    page = Image.new("RGB", (_ACROSS * _THUMB, -(-len(images) // _ACROSS) * _THUMB), "white")
    for number, path in enumerate(images):
        with Image.open(path) as image:
            image.thumbnail((_THUMB - 4, _THUMB - 4))
            page.paste(image, (number % _ACROSS * _THUMB, number // _ACROSS * _THUMB))
    out.parent.mkdir(parents=True, exist_ok=True)
    page.save(out)


def _kinds(data: Path) -> tuple[Kind, ...]:
    tune = open_dataset(f"folder:{data}/duts-tr/tune").examples
    ecssd = open_dataset(f"folder:{data}/ecssd500").examples
    voc = open_dataset(f"voc2012-seg:{data}/voc12-animals").examples
    return (
        Kind(f"{CHOOSE}/tune", tune[::2]),
        Kind(f"{REPORT}/tune", tune[1::2]),
        Kind(f"{REPORT}/ecssd", _shuffled(ecssd), most=ECSSD),
        Kind(f"{REPORT}/voc", _shuffled(voc), boxes=True, most=VOC),
    )


def _shuffled(examples: Sequence[Example]) -> list[Example]:
    order = np.random.default_rng(SEED).permutation(len(examples))
    return [examples[index] for index in order]


def _cut(kind: Kind, out: Path) -> Iterator[dict[str, Any]]:
    return islice(_crops(kind, out), kind.most)


def _crops(kind: Kind, out: Path) -> Iterator[dict[str, Any]]:
    for example in kind.examples:
        picture = example.picture()
        blocked = not_background(example.truth(picture), boxes=kind.boxes)
        assert picture.pixels.shape[:2] == blocked.shape, "so large a picture is decoded smaller"
        if span := background_box(blocked):
            top, left, bottom, right = span
            crop = picture.pixels[top:bottom, left:right]
            row = _save(crop, out, f"{kind.folder}/{Path(example.key).stem}")
            yield row | {"source": example.key, "box": [left, top, right, bottom]}


def _save(pixels: UInt8[np.ndarray, "height width 3"], out: Path, name: str) -> dict[str, Any]:
    path = out / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return {"image": f"{name}.png"}


if __name__ == "__main__":
    main(App(default_command=build_all))

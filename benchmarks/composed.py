"""Pictures of two or three objects: settings for several objects are chosen on these.

Objects of the tune photos are pasted into the object-free ground of other tune photos. The same
arguments give the same pictures.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from cyclopts import App
from jaxtyping import Bool, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmarks.common import DATA, RUNS, Data, main
from benchmarks.cutouts import Cutout, Ground, cut_out, ground
from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.benchmark.metrics.boxes import box_iou
from heap.benchmark.truth import Example
from heap.model.objects import tight_box
from heap.results import Rle

NAME = "composed"
OBJECTS = 250
"""Different ones at most: class maps have room for 254, and each should occur more than once."""
PIXELS = 400 * 300
"""Pixels of a picture, as most of the tune photos have."""
SHARES = (0.08, 0.25)
"""Shares of the picture for an object, before another one covers some of it."""
LARGEST_SCALE = 2.0
"""Objects are not blown up by more than this."""
OVERLAP = 0.2
"""Share of the smaller of two boxes that may lie in the other."""
LAYOUTS, DEALS = 200, 100
"""Draws of places for the same objects, and of other objects, before giving up."""
FEATHER = 1.0
"""Standard deviation, in pixels, of the blur that softens edges."""
QUALITY = 95
"""Quality of the JPEG files."""

Pixels = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Placed:
    """An object at its place in a picture."""

    cutout: Cutout
    x: int
    y: int
    width: int
    height: int


def compose(
    *,
    data: Data = DATA,
    out: Path = RUNS / NAME,
    pictures: int = 200,
    twins: bool = False,
    seed: int = 0,
) -> None:
    """Write a data set for `coco:OUT`.

    Args:
        data: Folder with `duts-tr/tune`.
        out: Folder of the data set; what is in it is deleted first.
        pictures: How many to make.
        twins: Paste one object twice instead of different ones.
        seed: Of the draw.
    """
    random = np.random.default_rng(seed)
    objects, grounds = parts_of(open_dataset(f"folder:{data / 'duts-tr' / 'tune'}").examples)
    names = sorted(map(str, random.permutation(sorted(objects))[:OBJECTS]))
    dealt = layouts({name: objects[name] for name in names}, grounds, random, twins=twins)
    shutil.rmtree(out, ignore_errors=True)
    write(out, names, islice(dealt, pictures))


def parts_of(examples: Sequence[Example]) -> tuple[dict[str, Cutout], dict[str, Ground]]:
    """The object and the ground of each photo that has one fit for use, by its name."""
    objects, grounds = {}, {}
    for example in examples:
        picture = example.picture()
        truth = example.truth(picture)
        if (cutout := cut_out(example.key, picture.pixels, truth)) is not None:
            objects[example.key] = cutout
        if (clear := ground(picture.pixels, truth)) is not None:
            grounds[example.key] = clear
    return objects, grounds


def layouts(
    objects: Mapping[str, Cutout],
    grounds: Mapping[str, Ground],
    random: np.random.Generator,
    *,
    twins: bool,
) -> Iterator[tuple[Pixels, list[Placed]]]:
    """Grounds at their final size, each with what to paste, the rearmost first; without an end.

    All objects come up before one comes up again, and so do all grounds.

    Raises:
        InputError: if there are too few, or they do not fit.
    """
    deck, backs = shuffled(objects, random), shuffled(grounds, random)
    failed = 0
    while failed < DEALS:
        different = 1 if twins else int(random.integers(2, 4))
        names, backs_of = [*islice(deck, different)], [*islice(backs, 1)]
        failed += 1
        if len({*names, *backs_of}) <= different:
            continue
        pixels = scaled(grounds[backs_of[0]])
        names = names * 2 if twins else names
        if placed := layout([objects[name] for name in names], pixels.shape[:2], random):
            failed = 0
            yield pixels, placed
    raise InputError(
        f"{len(objects)} objects and {len(grounds)} grounds are too few to compose pictures of, or "
        "do not fit together"
    )


def shuffled(names: Mapping[str, Any], random: np.random.Generator) -> Iterator[str]:
    """The names in random order, again and again."""
    while names:
        yield from map(str, random.permutation(sorted(names)))


def scaled(pixels: Ground) -> Pixels:
    """A ground at the size of the pictures."""
    scale = sqrt(PIXELS / (pixels.shape[0] * pixels.shape[1]))
    size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def layout(
    cutouts: Sequence[Cutout], shape: tuple[int, ...], random: np.random.Generator
) -> list[Placed] | None:
    """Sizes and places at which they all fit and do not overlap much; None if none were found."""
    for _ in range(LAYOUTS):
        drawn = [place(cutout, shape, random) for cutout in cutouts]
        placed = [spot for spot in drawn if spot is not None]
        if len(placed) == len(cutouts) and overlap(placed) <= OVERLAP:
            return placed
    return None


def place(cutout: Cutout, shape: tuple[int, ...], random: np.random.Generator) -> Placed | None:
    """A random size and place; what a border cut off is put there again. None: it is too large."""
    share = random.uniform(*SHARES)
    scale = sqrt(share * shape[0] * shape[1] / np.count_nonzero(cutout.mask))
    height, width = (max(1, round(side * scale)) for side in cutout.mask.shape)
    down, across = shape[0] - height, shape[1] - width
    if scale > LARGEST_SCALE or min(down, across) < 0:
        return None
    y, x = (int(random.integers(0, room + 1)) for room in (down, across))
    x = 0 if cutout.left else across if cutout.right else x
    y = 0 if cutout.top else down if cutout.bottom else y
    return Placed(cutout, x, y, width, height)


def overlap(placed: Sequence[Placed]) -> float:
    """The largest share of a box that lies in another one."""
    corners = [(part.x, part.y, part.x + part.width, part.y + part.height) for part in placed]
    boxes = np.array(corners, dtype=np.float64)
    shares = box_iou(boxes, boxes, crowds=np.ones(len(boxes), dtype=bool))
    np.fill_diagonal(shares, 0)
    return float(shares.max())


def paste(
    back: Pixels, placed: Sequence[Placed]
) -> tuple[Pixels, list[Bool[np.ndarray, "height width"]]]:
    """The picture, and of each object what can be seen of it."""
    pixels, masks = back.astype(np.float32), list[np.ndarray]()
    for part in placed:
        rows, cols = slice(part.y, part.y + part.height), slice(part.x, part.x + part.width)
        size = part.width, part.height
        mask = np.zeros(back.shape[:2], dtype=bool)
        soft = Image.fromarray(part.cutout.mask.astype(np.float32))
        mask[rows, cols] = np.asarray(soft.resize(size, Image.Resampling.BILINEAR)) > 0.5
        # Inwards only: outside of the mask there is nothing of the object's old ground.
        alpha = gaussian_filter(mask.astype(np.float32), FEATHER, mode="nearest") * 2 - 1
        alpha = alpha.clip(0, 1)[rows, cols, None]
        new = Image.fromarray(part.cutout.pixels).resize(size, Image.Resampling.BICUBIC)
        pixels[rows, cols] += alpha * (np.asarray(new) - pixels[rows, cols])
        masks = [*(before & ~mask for before in masks), mask]
    return np.rint(pixels).astype(np.uint8), masks


def write(out: Path, names: Sequence[str], dealt: Iterator[tuple[Pixels, list[Placed]]]) -> None:
    """Write pictures and annotations; a category is what was cut out of one photo."""
    (out / "images").mkdir(parents=True)
    numbers = {name: number for number, name in enumerate(names, 1)}
    images, annotations = [], list[dict[str, Any]]()
    for number, (back, placed) in enumerate(dealt, 1):
        pixels, masks = paste(back, placed)
        name, (height, width) = f"{number:04d}.jpg", pixels.shape[:2]
        Image.fromarray(pixels).save(out / "images" / name, quality=QUALITY)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        annotations += [
            {
                "id": len(annotations) + place,
                "image_id": number,
                "category_id": numbers[part.cutout.name],
                **about(mask),
            }
            for place, (part, mask) in enumerate(zip(placed, masks, strict=True), 1)
        ]
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    whole = {"images": images, "annotations": annotations, "categories": categories}
    (out / "instances.json").write_text(json.dumps(whole), encoding="utf-8")


def about(mask: Bool[np.ndarray, "height width"]) -> dict[str, Any]:
    """An annotation's account of its mask."""
    x1, y1, x2, y2 = tight_box(mask)
    return {
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": int(np.count_nonzero(mask)),
        "segmentation": {"size": list(mask.shape), "counts": Rle.encode(mask).counts},
        "iscrowd": 0,
    }


if __name__ == "__main__":
    main(App(default_command=compose))

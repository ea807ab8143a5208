"""Data that the page shows, but for pictures and outlines: columns, to be small and quick."""

import json
from collections.abc import Collection
from dataclasses import asdict
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from heap.categories.listing import NONE
from heap.categories.projection import ObjectMap
from heap.masks.scaling import scale_mask
from heap.report.outlines import canvas_of, svg_path
from heap.results import ImageResult
from heap.view.snapshot import Snapshot

Rows = list[list[float]]
_EDGE = 65535
"""Coordinate of the right and of the lower edge of the map: finer than any screen, and short."""


class About(BaseModel):
    """The run as a whole."""

    name: str
    encoder: str
    images: int
    """Images that were worked on to the end."""
    sample_of: int | None = None
    """Images of the run, failed ones included, where these are but a sample of them."""
    empty: int
    """Images without an object that nobody has rejected."""
    failed: int
    objects: int
    """Objects that nobody has rejected, nor their category."""
    rejected: int
    outdated: int
    """Objects whose embedding is of an earlier mask."""
    read_only: bool = True
    is_one_of_several: bool = False
    """Whether there is a page of several runs above this one."""
    searchable: bool = False
    """Whether it is known where the model of the run is."""
    version: str = ""
    """Version of the run, which changes with every write."""


class CategoryTitle(BaseModel):
    """A category without its members."""

    id: int
    name: str
    """Empty if nobody has given one."""
    title: str
    """The name, or the text that stands for it."""
    rejected: bool
    group: int
    """Number of the group of similar categories that it is in."""


class ImageColumns(BaseModel):
    """Images that were worked on to the end, in the order of their keys."""

    key: list[str]
    width: list[int]
    height: list[int]
    note: list[str]
    version: list[str]
    """Another text whenever the objects of the image have other masks."""


class ObjectColumns(BaseModel):
    """Objects in the order of their images, best first: the id of one is KEY#PLACE in its image."""

    image: list[int]
    """Row of its image."""
    box: list[list[float]]
    """xyxy, pixel edges in the upright original."""
    score: list[float]
    category: list[int]
    """0: of no category; -1: not sorted yet."""
    similarity: list[float | None]
    """Cosine with the prototype of its category."""
    rejected: list[int]
    """Rows of the objects that a person has rejected."""
    reviewed: list[int]
    """Rows of the objects that a person has accepted or rejected one by one."""
    drawn: list[int]
    """Rows of the objects whose masks are by a person."""


class FailedImage(BaseModel):
    """An image that could not be worked on."""

    key: str
    stage: str
    reason: str


class Contents(BaseModel):
    """A run, but for pictures and outlines."""

    run: About
    categories: list[CategoryTitle]
    """By number; none before the objects were sorted."""
    images: ImageColumns
    objects: ObjectColumns
    failures: list[FailedImage]


class ObjectPlaces(BaseModel):
    """Places of objects on the map: whole numbers from 0 to 65535, y downwards."""

    id: list[str] = []
    x: list[int] = []
    y: list[int] = []


class Outlines(BaseModel):
    """The masks of the objects of an image, as they are drawn."""

    canvas: tuple[int, int]
    """Width and height that the paths are given at."""
    paths: list[str]
    """SVG path of each object, best first, rejected ones included; to be filled by even-odd."""


def describe_run(now: Snapshot, name: str, encoder: str) -> About:
    """Describe the run as a whole, as one that can be neither changed nor searched."""
    failed = np.asarray(pc.equal(now.images["status"], "failed"), dtype=bool)
    accepted = int(now.accepted.sum())
    return About(
        name=name,
        encoder=encoder,
        images=int((~failed).sum()),
        empty=int(((now.counts == 0) & ~failed).sum()),
        failed=int(failed.sum()),
        objects=accepted,
        rejected=now.objects.num_rows - accepted,
        outdated=int((now.objects["outdated"].to_numpy() & now.accepted).sum()),
    )


def _versions(now: Snapshot, boxes: Rows) -> list[str]:
    """Digest for each image, failed ones included, that is another one when its masks change.

    One run has one model: with the content of a file and its boxes all else is the same, until a
    person draws a mask. It is not the checksum of all results, which differ by rounding where
    batches were others.
    """
    image = now.objects["image"].to_numpy()
    drawn = np.zeros(now.images.num_rows, dtype=bool)
    drawn[image[now.objects["drawn"].to_numpy()]] = True
    boxes_of: dict[int, Rows] = {}
    for row, box in zip(image.tolist(), boxes, strict=True):
        boxes_of.setdefault(row, []).append(box)
    columns = (now.images[name].to_pylist() for name in ("key", "digest", "checksum"))
    versions = []
    for row, (key, digest, checksum) in enumerate(zip(*columns, strict=True)):
        told = [key, digest, boxes_of.get(row, []), checksum.hex() if drawn[row] else ""]
        versions.append(blake2b(json.dumps(told).encode(), digest_size=16).hexdigest())
    return versions


def collect_contents(now: Snapshot, run: About, *, with_rejected: bool = True) -> Contents:
    """Collect the data of a run that is described by `run`.

    Without rejected things, their categories are left out, but their objects are only marked: an
    object is found by its place among the outlines of its image.
    """
    failed = pc.equal(now.images["status"], "failed")
    images, lost = now.images.filter(pc.invert(failed)), now.images.filter(failed)
    # Failed images have no objects; rows of the others are counted without them.
    row_of = np.cumsum(~np.asarray(failed, dtype=bool)) - 1
    edges = [now.objects[edge].to_numpy() for edge in ("x1", "y1", "x2", "y2")]
    boxes: Rows = np.stack(edges, axis=1).astype(np.float64).round(2).tolist()
    rejected, category_of = now.objects["rejected"].to_numpy().astype(bool), now.category_of
    if not with_rejected:
        rejected, category_of = ~now.accepted, np.where(now.accepted, category_of, NONE)
    # Built without validation: the columns are long, and come from the store with their types.
    return Contents.model_construct(
        run=run,
        categories=[
            CategoryTitle(**asdict(category))
            for category in now.categories
            if with_rejected or not category.rejected
        ],
        images=ImageColumns.model_construct(
            key=images["key"].to_pylist(),
            width=images["width"].to_pylist(),
            height=images["height"].to_pylist(),
            note=images["note"].fill_null("").to_pylist(),
            version=[
                version
                for version, bad in zip(_versions(now, boxes), failed.to_pylist(), strict=True)
                if not bad
            ],
        ),
        objects=ObjectColumns.model_construct(
            image=row_of[now.objects["image"].to_numpy()].tolist(),
            box=boxes,
            score=_round(now.objects["score"]),
            category=category_of.tolist(),
            similarity=_round(now.objects["similarity"]),
            rejected=np.flatnonzero(rejected).tolist(),
            reviewed=np.flatnonzero(now.objects["reviewed"].to_numpy()).tolist(),
            drawn=np.flatnonzero(now.objects["drawn"].to_numpy()).tolist(),
        ),
        failures=[
            FailedImage(key=row["key"], stage=row["stage"], reason=row["reason"])
            for row in lost.select(["key", "stage", "reason"]).to_pylist()
        ],
    )


def _round(column: pa.ChunkedArray) -> list[float | None]:
    """Round to the digits that single precision has, which makes JSON shorter."""
    numbers: list[float | None] = pc.round(column.cast(pa.float64()), 6).to_pylist()
    return numbers


def to_places(drawn: ObjectMap, shown: Collection[str] | None = None) -> ObjectPlaces:
    """Places of a map as the page reads them, of those objects that are `shown`, or all."""
    whole = np.rint(drawn.places * _EDGE).astype(int).tolist()
    rows = [
        (id, *place)
        for id, place in zip(drawn.ids, whole, strict=True)
        if shown is None or id in shown
    ]
    ids, x, y = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
    return ObjectPlaces(id=ids, x=x, y=y)


def trace_outlines(result: ImageResult) -> Outlines:
    """The outlines of all objects of an image."""
    canvas = canvas_of((result.width, result.height))
    masks = (scale_mask(mask.decode(), canvas) for mask in result.objects.masks)
    return Outlines(canvas=canvas, paths=list(map(svg_path, masks)))

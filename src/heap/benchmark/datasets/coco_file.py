"""Reader of a COCO JSON file, which refuses entries that do not fit together."""

import reprlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails, from_json

from heap.benchmark.datasets.layout import name_fault
from heap.benchmark.datasets.problems import DataError, Problem, refuse_problems
from heap.images import Source

BYTE_LIMIT = 2**31
"""Bytes of a file that is read at most; the largest official one, of train2017, has 450 MB."""

_CHECKED = ConfigDict(strict=True, extra="ignore")
_Length = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Side = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=_CHECKED)
class CocoImage:
    """One of `images`."""

    id: int
    file_name: str
    width: _Side
    height: _Side


@dataclass(frozen=True, config=_CHECKED)
class CocoAnnotation:
    """One of `annotations`."""

    id: int
    image_id: int
    category_id: int
    bbox: tuple[FiniteFloat, FiniteFloat, _Length, _Length]
    """xywh in pixels."""
    segmentation: Any = None
    """Polygons or run lengths; looked at when the image is read."""
    iscrowd: Literal[0, 1] = 0


@dataclass(frozen=True, config=_CHECKED)
class CocoCategory:
    """One of `categories`."""

    id: int
    name: str


@dataclass(frozen=True, config=_CHECKED)
class CocoFile:
    """A whole file."""

    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]


_FILE = TypeAdapter(CocoFile)


def read_coco(path: Path) -> CocoFile:
    """Parse and check a file, but for the segmentations.

    Raises:
        InputError: if it cannot be read, is not JSON, or holds an entry that is malformed, a
            number that is not finite, an id that is there twice, or one that nothing has.
    """
    data = Source(path.name, str(path)).read(BYTE_LIMIT)
    try:
        file = _FILE.validate_json(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise DataError(*_malformed_entries(path, data, details)) from None
    refuse_problems(list(_contradictions(path, file)))
    return file


def _malformed_entries(
    path: Path, data: bytes, details: Sequence[ErrorDetails]
) -> Iterator[Problem]:
    if details[0]["type"] == "json_invalid":
        yield Problem(str(path), details[0]["msg"])
        return
    raw = from_json(data)
    for fault in details:
        entry, inner = _entry(raw, fault["loc"])
        # An entry that lacks a field is not shown: it can be the whole file.
        shown = "" if fault["type"] == "missing" else f" = {reprlib.repr(fault['input'])}"
        what = f"{inner}{shown}: {fault['msg']}"
        yield Problem(f"{path}, {entry}" if entry else str(path), what)


def _entry(raw: Any, loc: tuple[int | str, ...]) -> tuple[str, str]:
    """Name the entry, by its id if it has one, and the place of the fault in it."""
    if len(loc) < 2:
        return "", ".".join(map(str, loc)) or "the file"
    part, index, *inner = loc
    entry = raw[part][index]
    number = entry.get("id") if isinstance(entry, dict) else None
    kind = {"categories": "category"}.get(str(part), str(part).removesuffix("s"))
    named = f"{kind} {number}" if number is not None else f"{kind} at position {index}"
    return named, ".".join(map(str, inner)) or "it"


def _contradictions(path: Path, file: CocoFile) -> Iterator[Problem]:
    images = {image.id for image in file.images}
    categories = {category.id for category in file.categories}
    yield from _repeats(path, "image", [image.id for image in file.images])
    yield from _repeats(path, "annotation", [annotation.id for annotation in file.annotations])
    yield from _repeats(path, "category", [category.id for category in file.categories])
    for name, count in Counter(image.file_name for image in file.images).items():
        if count > 1:
            yield Problem(str(path), f"{count} images have the file name {name!r}")
    for image in file.images:
        if fault := name_fault(image.file_name):
            yield Problem(f"{path}, image {image.id}", fault)
    for annotation in file.annotations:
        place = f"{path}, annotation {annotation.id}"
        if annotation.image_id not in images:
            yield Problem(place, f"there is no image {annotation.image_id}")
        if annotation.category_id not in categories:
            yield Problem(place, f"there is no category {annotation.category_id}")
    if not images:
        yield Problem(str(path), "has no images")


def _repeats(path: Path, kind: str, ids: list[int]) -> Iterator[Problem]:
    for number, count in Counter(ids).items():
        if count > 1:
            yield Problem(f"{path}, {kind} {number}", f"the id is there {count} times")

"""What is exported: the images of a run with those of its objects that are wanted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from heap.collection import schema
from heap.collection.reading import rows
from heap.collection.records import Finished
from heap.collection.store import RunStore
from heap.errors import InputError
from heap.report.files import file_stem
from heap.results import Rle

OBJECT = "object"
"""Class of every object where categories are no classes."""
OTHER = "other"
"""Class of objects of no category."""


@dataclass(frozen=True)
class Labelled:
    """An object with its class."""

    id: str
    """KEY#INDEX, as in the store."""
    box: tuple[float, float, float, float]
    """xyxy, pixel edges in the upright original."""
    score: float
    mask: Rle
    label: str
    vector: Float32[np.ndarray, " dim"]

    @property
    def index(self) -> int:
        """Place of the object in its image, from 0."""
        return int(self.id.rpartition("#")[2])

    @property
    def pixels(self) -> Bool[np.ndarray, "height width"]:
        """The dense mask."""
        return self.mask.decode()

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """The box in whole pixels inside the image: left, top, right, bottom."""
        x1, y1, x2, y2 = self.box
        left, top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
        right, bottom = (
            min(self.mask.width, int(np.ceil(x2))),
            min(self.mask.height, int(np.ceil(y2))),
        )
        return left, top, right, bottom


@dataclass(frozen=True)
class Item:
    """An image with the objects that are wanted of it, best first; possibly none."""

    key: str
    width: int
    height: int
    source: str
    """Absolute path or URL; empty if the image cannot be read again."""
    digest: str
    """Of the image file."""
    objects: tuple[Labelled, ...]

    @property
    def stem(self) -> str:
        """Name of what belongs to this image, valid on any file system."""
        return file_stem(self.key)


@dataclass(frozen=True)
class Labels:
    """The class of every object of a run."""

    classes: tuple[str, ...]
    """All classes, those without objects too, in the order of their numbers."""
    usual: str
    """Class of the objects that are not in `special`."""
    special: Mapping[str, str | None]
    """By the id of an object: its class, or None if it is rejected."""
    unsorted: int
    """Objects that have the class `OTHER` because `heap categories` has not seen them yet."""

    def of(self, object_id: str) -> str | None:
        """Class of an object; None if it is rejected."""
        return self.special.get(object_id, self.usual)


def read_labels(store: RunStore, *, by_category: bool) -> Labels:
    """Classes from the categories of a run, or one class for all objects.

    Rejected objects and those of rejected categories have none. Two categories of one name are one
    class.

    Raises:
        InputError: if categories are wanted, and the objects were never sorted into any.
        StoreError: if the store is damaged.
    """
    objects = store.find(schema.OBJECTS)
    titles = _titles(store)
    if by_category and titles is None and objects is not None:
        raise InputError(
            f"{store.run} has no categories; make them with `heap categories {store.run}`, or "
            "export without --categories"
        )
    titles = titles or {}
    special: dict[str, str | None] = {}
    others, unsorted = False, 0
    if objects is not None:
        found = rows(objects, ["id", "category", "rejected"])
        for name, category, rejected in zip(*found.to_pydict().values(), strict=True):
            title = titles.get(category, OTHER)
            if rejected or title is None:
                special[name] = None
            elif by_category and title != OTHER:
                special[name] = title
            else:
                others = True
                unsorted += by_category and category is None
    if not by_category:
        return Labels((OBJECT,), OBJECT, special, unsorted)
    named = dict.fromkeys(title for title in titles.values() if title is not None)
    if others or not named:
        named[OTHER] = None
    return Labels(tuple(named), OTHER, special, unsorted)


def items(store: RunStore, labels: Labels, min_score: float = 0.0) -> Iterator[Item]:
    """The images of a run in the order of keys, a block at a time in memory.

    Left out are objects that are rejected or score below `min_score`; failed images too.

    Raises:
        StoreError: if the store is damaged.
    """
    for record in store.records():
        yield _item(record, labels, min_score)


def _titles(store: RunStore) -> dict[int, str | None] | None:
    """Names of the categories by number, None for rejected ones; None without categories."""
    table = store.find(schema.CATEGORIES)
    if table is None:
        return None
    found = rows(table, ["id", "name", "rejected"]).sort_by("id").to_pylist()
    return {
        row["id"]: None if row["rejected"] else _printable(row["name"]) or f"category-{row['id']}"
        for row in found
    }


def _printable(name: str) -> str:
    """A name that fits into a line of any file, XML included."""
    return " ".join("".join(each if each.isprintable() else " " for each in name).split())


def _item(record: Finished, labels: Labels, min_score: float) -> Item:
    result, objects = record.result, record.result.objects
    kept = []
    for index, (box, score) in enumerate(
        zip(objects.boxes.tolist(), objects.scores.tolist(), strict=True)
    ):
        name = f"{result.key}#{index}"
        label = labels.of(name)
        if label is not None and score >= min_score:
            mask, vector = objects.masks[index], objects.embeddings[index]
            kept.append(Labelled(name, tuple(box), score, mask, label, vector))
    return Item(result.key, result.width, result.height, record.source, record.digest, tuple(kept))

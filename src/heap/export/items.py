"""Items of an export: the images of a run with the objects that are wanted of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32

from heap.base.errors import InputError
from heap.categories.titles import OTHER, check_titles, printable_title, title_of
from heap.export.names import printable_name
from heap.images.source import name_of
from heap.results import Rle
from heap.store import schema
from heap.store.columns import decode_texts, read_rows
from heap.store.database import reading
from heap.store.photos import copy_in_run
from heap.store.records import Finished
from heap.store.rejected import is_rejected
from heap.store.store import RunStore

OBJECT = "object"
"""Class of every object where categories are no classes."""


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
    drawn: bool = False
    """Whether the mask is by a person."""

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
    name: str
    """Name of the files of this image in the export, without suffix; see `heap.export.names`."""
    width: int
    height: int
    source: str
    """Absolute path or URL; empty if the image cannot be read again."""
    digest: str
    """SHA-256 of the image file."""
    objects: tuple[Labelled, ...]

    @property
    def photo(self) -> str:
        """Name of the photo on the disk, below what was listed, as a line of text."""
        return printable_name(name_of(self.key))


@dataclass(frozen=True)
class Labels:
    """The class of every object of a run."""

    classes: tuple[str, ...]
    """All classes in the order of their numbers, those without objects too if they have a name."""
    usual: str | None
    """Class of the objects that are not in `special`; None: they are left out."""
    special: Mapping[str, str | None]
    """Class by the id of an object, or None if it is rejected."""
    unsorted: frozenset[str] = frozenset()
    """Objects that have the class `OTHER` because `heap categories` has not seen them yet."""

    def of(self, object_id: str) -> str | None:
        """Class of an object; None if it is left out."""
        return self.special.get(object_id, self.usual)


def read_labels(store: RunStore, *, by_category: bool) -> Labels:
    """Take classes from the categories of a run, or one class for all objects.

    Rejected objects, and those of rejected categories, have no class.

    Raises:
        InputError: if categories are wanted, and the objects were never sorted into any, or two
            have one name, as they could in earlier versions.
        StoreError: if the store is damaged.
    """
    objects = store.checked_objects()
    titles = _titles(store)
    if by_category and titles is None and objects is not None:
        raise InputError(
            f"{store.run} has no categories; make them with `heap categories {store.run}`, or "
            "export without --categories"
        )
    titles = titles or {}
    if by_category:
        kept = {number: title for number, title in titles.items() if title is not None}
        check_titles(kept, kept)
    special: dict[str, str | None] = {}
    others, unsorted = False, set[str]()
    if objects is not None:
        with reading(store.run):
            stored = objects.read(["id", "category", "rejected"])
        off = is_rejected(stored, [number for number, title in titles.items() if title is None])
        columns = stored.select(["id", "category"]).to_pydict()
        for name, category, rejected in zip(*columns.values(), off, strict=True):
            title = titles.get(category)
            if rejected:
                special[name] = None
            elif by_category and category in titles:
                special[name] = title
            else:
                others = True
                if by_category and category is None:
                    unsorted.add(name)
    if not by_category:
        return Labels((OBJECT,), OBJECT, special)
    present = set(special.values())
    named = dict.fromkeys(
        title
        for number, title in titles.items()
        # What was moved into other categories leaves one behind that nobody has named.
        if title is not None and (title in present or title != title_of(number, ""))
    )
    if others or not named:
        named[OTHER] = None
    return Labels(tuple(named), OTHER, special, frozenset(unsorted))


def read_keys(store: RunStore) -> list[str]:
    """Keys of the images that `items` yields, in order.

    Raises:
        StoreError: if the store is damaged.
    """
    with reading(store.run):
        images = read_rows(store.table(schema.IMAGES), ["key"], "status != 'failed'")
        return sorted(decode_texts(images["key"]))


def read_items(
    store: RunStore, labels: Labels, names: Mapping[str, str], min_score: float = 0.0
) -> Iterator[Item]:
    """Yield images of a run in the order of keys, a block at a time in memory.

    `names` has `Item.name` by the key of each that is wanted. Failed images are left out, and
    objects that have no class or score below `min_score`.

    Raises:
        StoreError: if the store is damaged.
    """
    for record in store.records(names):
        copy = copy_in_run(store.run, record.source)
        placed = record if copy is None else replace(record, source=str(copy))
        yield _item(placed, names[record.result.key], labels, min_score)


def _titles(store: RunStore) -> dict[int, str | None] | None:
    """Names of the categories by number, None for rejected ones; None without categories."""
    table = store.find(schema.CATEGORIES)
    if table is None:
        return None
    with reading(store.run):
        rows = read_rows(table, ["id", "name", "rejected"]).sort_by("id").to_pylist()
    return {
        row["id"]: None if row["rejected"] else title_of(row["id"], printable_title(row["name"]))
        for row in rows
    }


def _item(record: Finished, name: str, labels: Labels, min_score: float) -> Item:
    result, objects = record.result, record.result.objects
    kept = []
    for index, (box, score) in enumerate(
        zip(objects.boxes.tolist(), objects.scores.tolist(), strict=True)
    ):
        object_id = f"{result.key}#{index}"
        label = labels.of(object_id)
        if label is not None and score >= min_score:
            mask, vector = objects.masks[index], objects.embeddings[index]
            drawn = index in record.drawn
            kept.append(Labelled(object_id, tuple(box), score, mask, label, vector, drawn))
    # Those that a person has added are the last of their image, and sure.
    kept.sort(key=lambda labelled: -labelled.score)
    return Item(
        result.key, name, result.width, result.height, record.source, record.digest, tuple(kept)
    )

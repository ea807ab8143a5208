"""What the collection says of each object of a run: its category, and whether it was rejected."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from heap.categories.listing import NONE, categories
from heap.store import schema
from heap.store.columns import rows
from heap.store.store import RunStore

UNSORTED = -1
"""Strip of the objects that were found after the last sorting."""


@dataclass(frozen=True)
class Strip:
    """A category as it is shown, or what stands for none."""

    id: int
    title: str
    coherence: float | None
    """Mean cosine of its members with its prototype; None for what is no category."""


@dataclass(frozen=True)
class Place:
    """Where an object is shown."""

    strip: Strip
    similarity: float | None
    """Cosine with the prototype of its category."""


@dataclass(frozen=True)
class Standing:
    """Of all objects of a run, by their ids."""

    strips: tuple[Strip, ...] = ()
    """Those with members; empty if the objects were never sorted."""
    places: Mapping[str, Place] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    """Objects that a person has rejected, and those of rejected categories."""


def read_standing(store: RunStore) -> Standing:
    """The standing of the objects of a run.

    Raises:
        StoreError: if the store is damaged.
    """
    table = store.find(schema.OBJECTS)
    if table is None:
        return Standing()
    known = categories(store)
    strips = {each.id: Strip(each.id, each.title, each.coherence) for each in known}
    strips |= {
        NONE: Strip(NONE, "in no category", None),
        UNSORTED: Strip(UNSORTED, "not sorted yet", None),
    }
    rejected = {each.id for each in known if each.rejected}
    places, refused = dict[str, Place](), set[str]()
    found = rows(table, ["id", "category", "similarity", "rejected"]).to_pydict()
    for name, category, similarity, off in zip(*found.values(), strict=True):
        if off or category in rejected:
            refused.add(name)
        elif known:
            strip = strips[UNSORTED if category is None else category]
            places[name] = Place(strip, similarity if strip.id > 0 else None)
    used = {place.strip.id for place in places.values()}
    shown = tuple(strip for strip in strips.values() if strip.id in used)
    return Standing(shown, places, frozenset(refused))

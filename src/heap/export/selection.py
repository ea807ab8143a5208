"""Selection of the objects of an export: by a condition on them, by their ids, or by both."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from heap.base.errors import InputError
from heap.export.items import Labels
from heap.store.columns import decode_texts
from heap.store.database import reading
from heap.store.store import RunStore

_SHOWN = 3
"""Ids that a message names."""


@dataclass(frozen=True)
class Selection:
    """Objects that are exported, with the images that they are in and nothing else."""

    where: str | None = None
    """A condition such as `category = 3`, see `heap.store.condition`."""
    ids: frozenset[str] | None = None

    def __bool__(self) -> bool:
        """Whether something is selected, rather than the whole run."""
        return self.where is not None or self.ids is not None


def select(store: RunStore, labels: Labels, selection: Selection) -> Labels:
    """Leave only selected objects a class, and only their classes; rejected ones have none.

    Raises:
        InputError: if the condition is none, there is no object of an id, or all that is selected
            is rejected.
        StoreError: if the store is damaged.
    """
    condition = None
    if selection.where is not None:
        # The parser of SQL takes longer to import than the rest of the exports.
        from heap.store.condition import STORED, read_condition

        condition = read_condition(selection.where, STORED)
    wanted = _ids(store, condition)
    if selection.ids is not None:
        known = wanted if condition is None else _ids(store, None)
        if unknown := sorted(selection.ids - known):
            raise InputError(f"{store.run} has no object {_named(unknown)}")
        wanted &= selection.ids
    classes = {id: label for id in wanted if (label := labels.of(id)) is not None}
    if not classes:
        chosen = f"fits {selection.where!r}" if selection.ids is None else "is selected"
        raise InputError(f"no object of {store.run} {chosen}, but for rejected ones")
    present = set(classes.values())
    return replace(
        labels,
        classes=tuple(label for label in labels.classes if label in present),
        usual=None,
        special=classes,
        unsorted=labels.unsorted.intersection(classes),
    )


def keys_of(ids: Iterable[str]) -> set[str]:
    """Keys of the images that objects are in."""
    return {id.rpartition("#")[0] for id in ids}


def _ids(store: RunStore, condition: str | None) -> set[str]:
    objects = store.checked_objects()
    if objects is None:
        return set()
    with reading(store.run):
        return set(decode_texts(objects.read(["id"], condition)["id"]))


def _named(ids: Collection[str]) -> str:
    first = [repr(id) for id in ids][:_SHOWN]
    return ", ".join(first) + (f" and {len(ids) - _SHOWN} others" if len(ids) > _SHOWN else "")

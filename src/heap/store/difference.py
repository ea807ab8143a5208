"""Difference between two runs of the same photos: objects in both of them, or only in one.

Photos are the same if their files have the same content, whatever their names.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from heap.base.progress import OnProgress, silent
from heap.results import Rle
from heap.store import schema
from heap.store.columns import read_rows
from heap.store.database import reading
from heap.store.rejected import is_rejected, rejected_categories
from heap.store.store import RunStore

SAME = 0.5
"""Intersection over union of two masks from which on they are of one object, as in COCO's AP50."""
_COLUMNS = [
    *("id", "key", "index", "x1", "y1", "x2", "y2", "category", "rejected"),
    *("mask_height", "mask_width", "mask_counts"),
]


@dataclass(frozen=True)
class Seen:
    """An object of one of two runs."""

    id: str
    index: int
    """Place among the objects of its image, rejected ones included."""
    box: tuple[float, float, float, float]
    """xyxy, pixel edges in the upright original."""
    iou: float | None
    """Intersection over union with the same object of the other run; None: only this one has it."""


@dataclass(frozen=True)
class PhotoDifference:
    """A photo of both runs."""

    keys: tuple[str, str]
    """Its name in the first and in the second run."""
    width: int
    height: int
    """Size of the upright original in pixels."""
    objects: tuple[tuple[Seen, ...], tuple[Seen, ...]]
    """Those of the first and of the second run that nobody has rejected."""

    @property
    def change(self) -> float:
        """Number of objects that only one run has, and the sum of 1 - IoU of those of both."""
        first, second = self.objects
        alone = float(sum(seen.iou is None for seen in (*first, *second)))
        return alone + sum(1 - seen.iou for seen in first if seen.iou is not None)


@dataclass(frozen=True)
class RunDifference:
    """Photos of two runs."""

    photos: tuple[PhotoDifference, ...]
    """Photos of both, most changed first."""
    alone: tuple[tuple[str, ...], tuple[str, ...]]
    """Photos that only the first run has, and those that only the second has."""

    @property
    def counts(self) -> tuple[int, int, int]:
        """Objects of both runs, only of the first, and only of the second, in shared photos."""
        first, second = (
            [seen.iou for photo in self.photos for seen in photo.objects[run]] for run in (0, 1)
        )
        return len(first) - first.count(None), first.count(None), second.count(None)


@dataclass(frozen=True)
class _Object:
    id: str
    index: int
    box: tuple[float, float, float, float]
    mask: Rle


@dataclass(frozen=True)
class _Photo:
    key: str
    digest: str
    size: tuple[int, int]
    objects: Sequence[_Object]


def difference(
    first: RunStore, second: RunStore, on_progress: OnProgress = silent
) -> RunDifference:
    """Compare two runs: masks are matched one to one, so that their sum of IoU is largest.

    Raises:
        StoreError: if a store is damaged.
    """
    photos = _read(first), _read(second)
    pairs = _pair(*photos)
    compared = []
    for done, (photo, twin) in enumerate(pairs):
        on_progress("photos", done, len(pairs))
        compared.append(_compare(photo, twin))
    on_progress("photos", len(pairs), len(pairs))
    paired = [{pair[run].key for pair in pairs} for run in (0, 1)]
    alone = [
        tuple(photo.key for photo in photos[run] if photo.key not in paired[run]) for run in (0, 1)
    ]
    # Stable: of equally changed ones by name.
    ranked = sorted(compared, key=lambda photo: -photo.change)
    return RunDifference(tuple(ranked), (alone[0], alone[1]))


def _read(store: RunStore) -> list[_Photo]:
    """Photos of a run in the order of their keys, with what nobody has rejected."""
    objects_of: dict[str, list[_Object]] = defaultdict(list)
    stored = store.checked_objects()
    with reading(store.run):
        images = read_rows(
            store.table(schema.IMAGES), ["key", "digest", "width", "height"], "status != 'failed'"
        )
        if stored is not None:
            objects = stored.read(_COLUMNS)
            accepted = objects.filter(~is_rejected(objects, rejected_categories(store)))
            for row in accepted.sort_by([("key", "ascending"), ("index", "ascending")]).to_pylist():
                box = (row["x1"], row["y1"], row["x2"], row["y2"])
                mask = Rle(row["mask_height"], row["mask_width"], row["mask_counts"])
                objects_of[row["key"]].append(_Object(row["id"], row["index"], box, mask))
    return [
        _Photo(row["key"], row["digest"], (row["width"], row["height"]), objects_of[row["key"]])
        for row in images.sort_by("key").to_pylist()
    ]


def _pair(first: Iterable[_Photo], second: Iterable[_Photo]) -> list[tuple[_Photo, _Photo]]:
    """Photos of the same content; of several, those of the same name, and then in their order."""
    left: dict[str, list[_Photo]] = defaultdict(list)
    for photo in second:
        left[photo.digest].append(photo)
    pairs, later = [], []
    for photo in first:
        twins = left[photo.digest]
        same = next((twin for twin in twins if twin.key == photo.key), None)
        if same is None:
            later.append(photo)
        else:
            twins.remove(same)
            pairs.append((photo, same))
    pairs += [(photo, left[photo.digest].pop(0)) for photo in later if left[photo.digest]]
    return sorted(pairs, key=lambda pair: pair[0].key)


def _compare(first: _Photo, second: _Photo) -> PhotoDifference:
    from scipy.optimize import linear_sum_assignment

    iou = _mask_iou(first.objects, second.objects)
    iou[iou < SAME] = 0
    rows, columns = linear_sum_assignment(iou, maximize=True)
    matched = {
        (int(row), int(column)): float(iou[row, column])
        for row, column in zip(rows, columns, strict=True)
        if iou[row, column] > 0
    }
    of_first = {row: value for (row, _), value in matched.items()}
    of_second = {column: value for (_, column), value in matched.items()}
    seen = [
        tuple(
            Seen(thing.id, thing.index, thing.box, ious.get(place))
            for place, thing in enumerate(photo.objects)
        )
        for photo, ious in ((first, of_first), (second, of_second))
    ]
    return PhotoDifference((first.key, second.key), *first.size, (seen[0], seen[1]))


def _mask_iou(
    first: Sequence[_Object], second: Sequence[_Object]
) -> Float64[np.ndarray, "first second"]:
    """Intersection over union of the masks; only of those whose boxes meet they are decoded."""
    iou = np.zeros((len(first), len(second)))
    masks: dict[str, dict[int, np.ndarray]] = {"first": {}, "second": {}}

    def decoded(side: str, place: int, thing: _Object) -> np.ndarray:
        if place not in masks[side]:
            masks[side][place] = thing.mask.decode()
        return masks[side][place]

    for row, thing in enumerate(first):
        for column, other in enumerate(second):
            if thing.mask == other.mask:
                iou[row, column] = 1
            elif _meet(thing.box, other.box) and thing.mask.height == other.mask.height:
                here, there = decoded("first", row, thing), decoded("second", column, other)
                iou[row, column] = np.count_nonzero(here & there) / np.count_nonzero(here | there)
    return iou


def _meet(box: Sequence[float], other: Sequence[float]) -> bool:
    return all(box[axis] < other[axis + 2] and other[axis] < box[axis + 2] for axis in (0, 1))

"""Two runs of the same photos compared."""

from pathlib import Path

import numpy as np
import pytest
from runs import result_of

import heap
from heap.categories.edit import reject_objects
from heap.store.difference import RunDifference, difference
from heap.store.editing import Editor
from heap.store.records import Finished
from heap.store.store import RunStore

SIZE = (20, 30)


def square(left: int, top: int, side: int = 8) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def write(run: Path, photos: dict[str, tuple[str, list[np.ndarray]]]) -> Path:
    """A run with these photos: name, digest of the file and masks."""
    with RunStore.create_or_open(run, {}) as store:
        for key, (digest, masks) in photos.items():
            store.add([Finished(result_of(key, masks, SIZE), digest=digest)])
    return run


def compared(first: Path, second: Path) -> RunDifference:
    return difference(RunStore.open(first), RunStore.open(second))


def test_objects_are_the_same_by_their_masks(tmp_path: Path) -> None:
    first = write(tmp_path / "a", {
        "same.jpg": ("1", [square(0, 0)]),
        "moved.jpg": ("2", [square(0, 0), square(16, 8)]),
        "lost.jpg": ("3", [square(0, 0), square(12, 0)]),
    })  # fmt: skip
    second = write(tmp_path / "b", {
        "same.jpg": ("1", [square(0, 0)]),
        # Two columns on: 48 pixels of 80; and 32 of 96, which is another object.
        "elsewhere/moved.jpg": ("2", [square(2, 0), square(20, 8)]),
        "lost.jpg": ("3", [square(12, 0)]),
    })  # fmt: skip
    told = compared(first, second)
    assert [(photo.keys[0], photo.change) for photo in told.photos] == [
        ("moved.jpg", pytest.approx(2 + 1 - 48 / 80)), ("lost.jpg", 1), ("same.jpg", 0)
    ]  # fmt: skip
    moved, lost, _ = told.photos
    assert moved.keys == ("moved.jpg", "elsewhere/moved.jpg")
    assert [each.iou for each in moved.objects[0]] == [pytest.approx(0.6), None]
    assert [each.id for each in moved.objects[1] if each.iou is None] == ["elsewhere/moved.jpg#1"]
    assert [each.iou for each in lost.objects[0]] == [None, 1]
    assert told.counts == (3, 2, 1)
    assert told.alone == ((), ())


def test_photos_are_the_same_by_their_content(tmp_path: Path) -> None:
    first = write(tmp_path / "a", {
        "a.jpg": ("1", []), "b.jpg": ("1", []), "changed.jpg": ("2", []), "c.jpg": ("4", [])
    })  # fmt: skip
    second = write(tmp_path / "b", {
        "b.jpg": ("1", []), "changed.jpg": ("3", []), "z.jpg": ("1", []), "d.jpg": ("4", [])
    })  # fmt: skip
    told = compared(first, second)
    # Of copies those of the same name belong together.
    assert {photo.keys for photo in told.photos} == {
        ("a.jpg", "z.jpg"), ("b.jpg", "b.jpg"), ("c.jpg", "d.jpg")
    }  # fmt: skip
    assert told.alone == (("changed.jpg",), ("changed.jpg",))


def test_what_was_rejected_is_left_out(tmp_path: Path) -> None:
    first = write(tmp_path / "a", {"a.jpg": ("1", [square(0, 0), square(12, 0)])})
    second = write(tmp_path / "b", {"a.jpg": ("1", [square(12, 0)])})
    with Editor(first) as editor:
        reject_objects(editor, ["a.jpg#0"])
    told = heap.open(first).difference(heap.open(second))
    assert told.counts == (1, 0, 0)
    (kept,) = told.photos[0].objects[0]
    assert (kept.id, kept.index) == ("a.jpg#1", 1)


def test_masks_are_matched_one_to_one_for_the_largest_sum(tmp_path: Path) -> None:
    left, middle, right = (square(left, 0, 12) for left in (0, 1, 2))
    first = write(tmp_path / "a", {"a.jpg": ("1", [left, middle])})
    second = write(tmp_path / "b", {"a.jpg": ("1", [middle, right])})
    (photo,) = compared(first, second).photos
    # Both by 11 of 13 columns, and not the equal ones with the others left over by 10 of 14.
    assert sum(each.iou or 0 for each in photo.objects[0]) == pytest.approx(
        max(2 * 11 / 13, 1 + 10 / 14)
    )

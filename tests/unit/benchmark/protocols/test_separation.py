"""Pairs of things that are told apart or not: the cases can be counted by hand."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heap.base.errors import InputError
from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.protocols.outcome import Outcome
from heap.methods.finding import Finding, GridObject
from heap.model.objects import tight_box

from .scenes import blocks, marked, scored, seen

PROTOCOL = PROTOCOLS["separation-v1"]
SIDE = 10
"""Of a patch in pixels; a picture has 4 x 10 of them, so the smallest things have 16 pixels."""
LEFT = marked("..........", ".##.......", ".##.......", "..........")
RIGHT = marked("..........", ".......##.", ".......##.", "..........")
MIDDLE = marked("..........", "....##....", "....##....", "..........")
BOTH = LEFT | RIGHT


def run(*objects: np.ndarray, guesses: tuple[np.ndarray, ...] = ()) -> Finding:
    """Objects, best first, and further guesses; no regions."""
    saliency = np.any([np.zeros((4, 10), dtype=bool), *objects], axis=0).astype(np.float32)
    each, further = (
        tuple(GridObject(cells, 1 - rank / 10) for rank, cells in enumerate(of))
        for of in (objects, guesses)
    )
    return Finding(saliency, each, proposals=further)


def picture(
    finding: Finding, things: list[np.ndarray], classes: str, *, boxes_only: bool = False
) -> Outcome:
    """Things that have the very pixels that objects of these cells have."""
    masks = seen(run(*things), cell=SIDE).masks if things else np.zeros((0, 40, 100), dtype=bool)
    boxes = np.array([tight_box(mask) for mask in masks], dtype=np.float64).reshape(-1, 4)
    truth: dict[str, Any] = {"boxes": boxes, "box_classes": tuple(classes)}
    return seen(finding, cell=SIDE, **truth, instances=None if boxes_only else masks)


def values(*outcomes: Outcome) -> dict[str, float]:
    return scored(PROTOCOL, [PROTOCOL.measure(each, "all") for each in outcomes])[0]


@pytest.mark.parametrize("boxes_only", [False, True])
class TestPairs:
    def test_two_objects_are_a_hit_and_one_around_both_is_none(self, boxes_only: bool) -> None:
        things = [LEFT, RIGHT]
        apart = picture(run(LEFT, RIGHT), things, "ab", boxes_only=boxes_only)
        merged = picture(run(BOTH), things, "ab", boxes_only=boxes_only)
        assert values(apart)["pairs_separated"] == 1
        assert values(merged)["pairs_separated"] == 0
        assert values(apart, merged, merged)["images_separated"] == pytest.approx(1 / 3)

    def test_one_of_the_two_is_no_hit(self, boxes_only: bool) -> None:
        half = picture(run(LEFT, MIDDLE), [LEFT, RIGHT], "ab", boxes_only=boxes_only)
        assert values(half)["pairs_separated"] == 0

    def test_three_things_are_three_pairs_and_an_image_needs_them_all(
        self, boxes_only: bool
    ) -> None:
        three = picture(run(LEFT, RIGHT), [LEFT, RIGHT, MIDDLE], "abc", boxes_only=boxes_only)
        found = values(three, picture(run(LEFT, RIGHT), [LEFT, RIGHT], "ab"))
        assert found["pairs_separated"] == 2 / 4
        assert found["images_separated"] == 1 / 2

    def test_things_of_a_class_are_no_pair(self, boxes_only: bool) -> None:
        alike = picture(run(LEFT, RIGHT), [LEFT, RIGHT, MIDDLE], "aab", boxes_only=boxes_only)
        row = PROTOCOL.measure(alike, "all")
        assert [pair["classes"] for pair in row["pairs"]] == [["a", "b"], ["a", "b"]]

    def test_further_guesses_do_not_count(self, boxes_only: bool) -> None:
        guessed = run(LEFT, guesses=(RIGHT,))
        found = values(picture(guessed, [LEFT, RIGHT], "ab", boxes_only=boxes_only))
        assert (found["pairs_separated"], found["objects"]) == (0, 1)


class TestLimits:
    def test_one_object_with_the_iou_for_both_things_is_no_pair_of_objects(self) -> None:
        """Two things of the same box, and the box of the object is that too."""
        (box,) = np.array([tight_box(mask) for mask in seen(run(LEFT), cell=SIDE).masks])
        boxes = np.array([box, box], dtype=np.float64)
        once = seen(run(LEFT), cell=SIDE, boxes=boxes, box_classes=("a", "b"))
        assert values(once)["pairs_separated"] == 0

    def test_an_iou_of_exactly_one_half_is_a_hit(self) -> None:
        def truth(height: float) -> Outcome:
            (x1, y1, x2, _), second = boxes
            made = picture(finding, [LEFT, RIGHT], "ab", boxes_only=True)
            wanted = np.array([[x1, y1, x2, y1 + height], second], dtype=np.float64)
            return replace(made, truth=replace(made.truth, boxes=wanted))

        finding = run(LEFT, RIGHT)
        boxes = [tight_box(mask) for mask in seen(finding, cell=SIDE).masks]
        height = boxes[0][3] - boxes[0][1]
        hit, miss = (PROTOCOL.measure(truth(2 * height + more), "all") for more in (0, 1))
        assert hit["pairs"][0]["iou"] == 0.5
        assert values(truth(2 * height))["pairs_separated"] == 1
        assert miss["pairs"][0]["iou"] == pytest.approx(height / (2 * height + 1))
        assert values(truth(2 * height + 1))["pairs_separated"] == 0

    def test_a_thing_of_one_percent_counts_and_a_smaller_one_does_not(self) -> None:
        def image(width: float) -> Outcome:
            # Of 40 x 100 pixels, 1 % are 4 x 10.
            boxes = np.array([[0, 0, 50, 40], [50, 0, 50 + width, 4]], dtype=np.float64)
            return seen(run(LEFT), cell=SIDE, boxes=boxes, box_classes=("a", "b"))

        assert PROTOCOL.measure(image(10), "all")["scored"]
        assert PROTOCOL.measure(image(9), "all") == {"scored": False}

    def test_crowds_and_images_without_a_pair_are_left_out(self) -> None:
        good = picture(run(LEFT, RIGHT), [LEFT, RIGHT], "ab")
        crowd = replace(good, truth=replace(good.truth, crowds=np.array([False, True])))
        empty = picture(run(LEFT), [], "")
        rows = [PROTOCOL.measure(each, "all") for each in (crowd, empty)]
        assert rows == [{"scored": False}] * 2
        _, _, notes = scored(PROTOCOL, [*rows, PROTOCOL.measure(good, "all")])
        assert notes == {"scored": 1, "pairs": 1}
        with pytest.raises(InputError, match="not one of 2 images has two objects of different"):
            PROTOCOL.finish(rows)

    def test_nothing_found_is_a_miss(self) -> None:
        found = values(picture(run(), [LEFT, RIGHT], "ab"))
        assert (found["pairs_separated"], found["objects"], found["regions"]) == (0, 0, 1)
        assert found["pairs_in_two_regions"] == 0


class TestRegions:
    def in_regions(self, labels: np.ndarray, things: list[np.ndarray], classes: str) -> Outcome:
        """Things that are the very pixels of their patches, so that they can be counted."""
        finding = replace(run(), label_map=labels.astype(np.int64))
        masks = np.array([blocks(each, SIDE) for each in things])
        boxes = np.array([tight_box(mask) for mask in masks], dtype=np.float64)
        return seen(finding, cell=SIDE, boxes=boxes, box_classes=tuple(classes), instances=masks)

    def test_by_hand(self) -> None:
        labels = np.zeros((4, 10), dtype=int)
        labels[:, 5:] = 3
        labels[1, 1] = 3
        # Left: three of four patches in 0. Right: all in 3. Middle: half and half, the first is 0.
        made = self.in_regions(labels, [LEFT, RIGHT, MIDDLE], "abc")
        row = PROTOCOL.measure(made, "all")
        assert [pair["apart"] for pair in row["pairs"]] == [True, False, True]
        # In region 0 are 3 of a and 2 of c, in 3 are 1 of a, 4 of b and 2 of c.
        assert row["purity"] == pytest.approx((3 + 4) / 12)
        assert row["purity_floor"] == pytest.approx(4 / 12)
        found = values(made)
        assert found["pairs_in_two_regions"] == pytest.approx(2 / 3)
        assert (found["regions"], found["objects"]) == (2, 0)

    def test_what_lies_in_things_of_two_classes_does_not_count(self) -> None:
        labels = np.zeros((4, 10), dtype=int)
        labels[:, 2:] = 1
        wide = marked("..........", "..########", "..########", "..........")
        # Of the left thing the first column is its own, in region 0.
        row = PROTOCOL.measure(self.in_regions(labels, [LEFT, wide], "ab"), "all")
        assert row["pairs"][0]["apart"]
        assert row["purity"] == 1
        assert row["purity_floor"] == pytest.approx(14 / 16)
        hidden = self.in_regions(labels, [LEFT, LEFT], "ab")
        row = PROTOCOL.measure(hidden, "all")
        assert (row["pairs"][0]["apart"], row["purity"]) == (False, None)
        assert math.isnan(values(hidden)["purity"])

    def test_a_method_without_regions_gives_its_objects(self) -> None:
        apart, merged = (
            picture(finding, [LEFT, RIGHT], "ab") for finding in (run(LEFT, RIGHT), run(BOTH))
        )
        assert values(apart)["pairs_in_two_regions"] == 1
        assert values(apart)["purity"] == 1
        assert values(apart)["regions"] == 3
        assert values(merged)["pairs_in_two_regions"] == 0
        assert values(merged)["purity"] == pytest.approx(1 / 2)


def test_intervals_weigh_pairs_by_images() -> None:
    one = picture(run(LEFT, RIGHT), [LEFT, RIGHT], "ab")
    three = picture(run(), [LEFT, RIGHT, MIDDLE], "abc")
    final, notes = PROTOCOL.finish([PROTOCOL.measure(each, "all") for each in (one, three)])
    (found,) = PROTOCOL.values(final, notes)
    place = found.names.index("pairs_separated")
    drawn = found.at(np.array([[1.0, 1], [2, 0], [0, 2], [3, 1]]))
    assert drawn[:, place].tolist() == pytest.approx([1 / 4, 1, 0, 3 / 6])

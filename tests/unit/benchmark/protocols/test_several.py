"""Few boxes in images with several objects: the cases can be counted by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap.base.errors import InputError
from heap.benchmark.protocols import PROTOCOLS, Row
from heap.benchmark.protocols.outcome import Outcome
from heap.methods.finding import Finding, GridObject
from heap.model.objects import tight_box

from .conftest import Make
from .scenes import scored

PROTOCOL = PROTOCOLS["several-v1"]
BEST, SECOND, THIRD = (0, 0), (0, 7), (5, 3)
"""Where three objects of 2 x 2 patches are, by score."""
NOWHERE = np.array([0.0, 90, 10, 100])


def found(*corners: tuple[int, int]) -> Finding:
    saliency = np.zeros((10, 10), dtype=np.float32)
    objects = []
    for rank, (row, col) in enumerate(corners):
        cells = np.zeros((10, 10), dtype=bool)
        cells[row : row + 2, col : col + 2] = True
        saliency[cells] = 1
        objects.append(GridObject(cells, 1 - 0.05 * rank))
    return Finding(saliency, tuple(objects))


def boxes_of(outcome: Outcome) -> np.ndarray:
    """The boxes of the masks: objects there are found exactly."""
    return np.array([tight_box(mask) for mask in outcome.masks])


def row(outcome: Make, finding: Finding, boxes: Any, classes: str, crowds: str = "") -> Row:
    """Of objects with classes of one letter; those at the places in `crowds` are crowds."""
    there = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    are = np.array([str(place) in crowds for place in range(len(there))], dtype=bool)
    made = outcome(finding, boxes=there, box_classes=tuple(classes), crowds=are)
    return PROTOCOL.measure(made, "all")


def test_recall_grows_with_the_boxes_that_are_kept(outcome: Make) -> None:
    finding = found(BEST, SECOND, THIRD)
    first, _, third = boxes_of(outcome(finding))
    values, _, notes = scored(PROTOCOL, [row(outcome, finding, [third, first, NOWHERE], "abc")])
    assert [values[f"recall_{k}"] for k in (1, 2, 3, 5, 10)] == pytest.approx(
        [1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3]
    )
    assert [values[f"boxes_{k}"] for k in (1, 2, 3, 5, 10)] == [1, 2, 3, 3, 3]
    assert notes == {"scored": 1}
    # Hit, miss, hit of three: precision 1 up to a recall of 1/3, 2/3 up to 2/3, then 0.
    assert values["AP50"] == pytest.approx((34 + 33 * 2 / 3) / 101)


def test_recall_is_of_all_objects_and_no_mean_of_images(outcome: Make) -> None:
    finding = found(BEST, SECOND)
    here = boxes_of(outcome(finding))
    rows = [
        row(outcome, finding, here, "ab"),
        row(outcome, found(), [*here, NOWHERE, NOWHERE], "abcd"),
    ]
    values, *_ = scored(PROTOCOL, rows)
    assert (values["recall_1"], values["recall_2"]) == pytest.approx((1 / 6, 2 / 6))
    # The number of boxes is a mean over the images, with those that have none.
    assert (values["boxes_1"], values["boxes_10"]) == (0.5, 1)


def test_each_box_finds_one_object_and_each_object_has_one_box(outcome: Make) -> None:
    finding = found(BEST, SECOND)
    first, _ = boxes_of(outcome(finding))
    twice, *_ = scored(PROTOCOL, [row(outcome, finding, [first, first], "ab")])
    assert twice["recall_10"] == 0.5
    doubled = Finding(finding.saliency, (finding.objects[0], finding.objects[0]))
    nearly = [*first[:2], *(first[2:] + 1)]
    once, *_ = scored(PROTOCOL, [row(outcome, doubled, [nearly, NOWHERE], "ab")])
    assert once["recall_10"] == 0.5


def test_an_overlap_of_exactly_one_half_is_a_hit(outcome: Make) -> None:
    finding = found(BEST)
    (x1, y1, x2, y2) = boxes_of(outcome(finding))[0]
    half = [x1, y1, x2, y2 + (y2 - y1)]
    less = [x1, y1, x2, y2 + (y2 - y1) + 1]
    assert scored(PROTOCOL, [row(outcome, finding, [half, NOWHERE], "ab")])[0]["recall_1"] == 0.5
    assert scored(PROTOCOL, [row(outcome, finding, [less, NOWHERE], "ab")])[0]["recall_1"] == 0


def test_the_eleventh_box_comes_too_late(outcome: Make) -> None:
    corners = [(3 * (place // 3), 3 * (place % 3)) for place in range(9)]
    finding = found(*corners, (1, 1), (4, 4))
    here = boxes_of(outcome(finding))
    last = np.array([tight_box(mask) for mask in outcome(finding).masks])[10]
    assert len(here) == 11
    values, *_ = scored(PROTOCOL, [row(outcome, finding, [last, NOWHERE], "ab")])
    assert (values["recall_10"], values["boxes_10"]) == (0, 10)
    assert values["AP50"] > 0


@pytest.mark.parametrize(
    ("classes", "crowds"), [("", ""), ("a", ""), ("aaa", ""), ("aab", "2"), ("ab", "01")]
)
def test_images_without_two_classes_are_left_out(classes: str, crowds: str, outcome: Make) -> None:
    finding = found(BEST, SECOND)
    here = boxes_of(outcome(finding))
    lone = row(outcome, finding, [NOWHERE] * len(classes), classes, crowds)
    assert lone == {"scored": False}
    good = row(outcome, finding, here, "ab")
    values, final, notes = scored(PROTOCOL, [lone, good, lone])
    assert (values["recall_2"], values["boxes_10"]) == (1, 2)
    assert notes == {"scored": 1}
    assert final == [lone, good, lone]


def test_a_crowd_is_no_object_and_what_lies_in_it_is_not_wrong(outcome: Make) -> None:
    finding = found(BEST, SECOND, THIRD)
    first, second, third = boxes_of(outcome(finding))
    plain = row(outcome, finding, [second, third], "ab")
    with_crowd = row(outcome, finding, [second, third, first], "aba", "2")
    (hidden, *_), (seen, *_) = (scored(PROTOCOL, [each]) for each in (with_crowd, plain))
    assert [hidden[f"recall_{k}"] for k in (1, 2, 3)] == [0, 0.5, 1]
    assert [seen[f"recall_{k}"] for k in (1, 2, 3)] == [0, 0.5, 1]
    assert hidden["AP50"] == pytest.approx(1)
    assert seen["AP50"] < 1


def test_data_without_such_an_image_are_refused(outcome: Make) -> None:
    with pytest.raises(InputError, match="several-v1 has nothing to score: not one of 2 images"):
        PROTOCOL.finish([row(outcome, found(BEST), [NOWHERE], "a")] * 2)


@given(st.lists(st.lists(st.sampled_from("#.x"), max_size=12), min_size=1, max_size=4))
def test_more_boxes_never_find_less(images: list[list[str]]) -> None:
    """`#` is a box on an object, `.` one on nothing and `x` one in a crowd, by score."""
    bits = {"#": (1023, 0), ".": (0, 0), "x": (0, 1023)}
    rows: list[Row] = [
        {
            "scored": True,
            "objects": {
                "truths": 2 + image.count("#"),
                "found": [[1 - rank / 100, *bits[sign]] for rank, sign in enumerate(image)],
            },
        }
        for image in images
    ]
    values, *_ = scored(PROTOCOL, rows)
    objects = sum(each["objects"]["truths"] for each in rows)
    for k in (1, 2, 3, 5, 10):
        hits = sum(image[:k].count("#") for image in images)
        assert values[f"recall_{k}"] == pytest.approx(hits / objects)
        assert values[f"boxes_{k}"] == pytest.approx(np.mean([len(i[:k]) for i in images]))

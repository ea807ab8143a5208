"""False alarms and recall by hand, and at thresholds that methods could have had."""

from typing import Any

import numpy as np
import pytest

from heap.base.errors import InputError
from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.protocols.outcome import Outcome
from heap.methods.finding import Finding, GridObject

from .scenes import scored, seen

ALARMS, RECALL = PROTOCOLS["false-alarms-v1"], PROTOCOLS["recall-v1"]
SIDE = 10
"""Pixels of a cell; scenes have 4 x 6 of them."""


def found(*objects: tuple[int, int, float], **truth: Any) -> Outcome:
    """What has single cells, each with a score, for objects."""
    made = []
    for row, col, score in objects:
        cells = np.zeros((4, 6), dtype=bool)
        cells[row, col] = True
        made.append(GridObject(cells, score))
    return seen(Finding(np.ones((4, 6), dtype=np.float32), tuple(made)), cell=SIDE, **truth)


def cell_box(row: int, col: int) -> list[float]:
    return [SIDE * col, SIDE * row, SIDE * col + SIDE, SIDE * row + SIDE]


def boxes(*cells: tuple[int, int]) -> np.ndarray:
    return np.array([cell_box(*at) for at in cells], dtype=np.float64).reshape(-1, 4)


class TestFalseAlarms:
    def test_row_of_an_image(self) -> None:
        assert ALARMS.measure(found((0, 0, 0.75), (2, 3, 0.5)), "sky") == {
            "split": "sky", "alarm": True, "objects": 2, "best": 0.75,
        }  # fmt: skip
        assert ALARMS.measure(found(), "sky") == {
            "split": "sky", "alarm": False, "objects": 0, "best": None,
        }  # fmt: skip

    def test_an_object_of_score_zero_is_an_alarm(self) -> None:
        row = ALARMS.measure(found((0, 0, 0.0)), "sky")
        assert (row["alarm"], row["best"]) == (True, 0.0)

    def test_shares_of_all_and_of_each_split(self) -> None:
        rows = [
            ALARMS.measure(found(), "grass"),
            ALARMS.measure(found((0, 0, 0.9)), "sky"),
            ALARMS.measure(found(), "grass"),
            ALARMS.measure(found((0, 0, 0.9)), "grass"),
            ALARMS.measure(found(), "grass"),
        ]
        values, *_ = scored(ALARMS, rows)
        assert values == {"alarms": 0.4, "alarms_grass": 0.25, "alarms_sky": 1.0}

    def test_intervals_of_splits_are_of_the_resamples_that_have_them(self) -> None:
        rows = [{"split": split, "alarm": alarm} for split, alarm in
                [("sky", True), *[("grass", False)] * 5]]  # fmt: skip
        estimates: dict[str, Any] = {}
        for values in ALARMS.values(rows, {}):
            estimates |= values.estimate()
        assert estimates["alarms"].low == 0
        assert estimates["alarms"].high > 0.3
        # The only image of the sky is in some resamples and not in others; its share is 1.
        assert (estimates["alarms_sky"].low, estimates["alarms_sky"].high) == (1, 1)
        assert (estimates["alarms_grass"].low, estimates["alarms_grass"].high) == (0, 0)

    def test_an_image_with_an_object_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"without an object, and one has 2; .* set empty"):
            ALARMS.measure(found(boxes=boxes((0, 0), (1, 1))), "all")


class TestRecall:
    def test_row_of_an_image(self) -> None:
        outcome = found((0, 0, 0.9), (1, 1, 0.75), (2, 2, 0.5), boxes=boxes((2, 2), (0, 0), (3, 5)))
        row = {"truths": 3, "objects": 3, "found": 2, "best": 0.9}
        assert RECALL.measure(outcome, "all") == row

    def test_all_boxes_of_all_images_count_alike(self) -> None:
        rows = [
            RECALL.measure(found((0, 0, 0.9), boxes=boxes((0, 0))), "all"),
            RECALL.measure(found((0, 0, 0.9), boxes=boxes((0, 0), (1, 2), (2, 4))), "all"),
            RECALL.measure(found((0, 0, 0.9)), "all"),
        ]
        assert scored(RECALL, rows)[0] == {"recall": 0.5}

    def test_one_object_finds_one(self) -> None:
        twice = found((0, 0, 0.9), boxes=boxes((0, 0), (0, 0)))
        assert RECALL.measure(twice, "all")["found"] == 1
        both = found((0, 0, 0.9), (0, 0, 0.4), boxes=boxes((0, 0)))
        assert RECALL.measure(both, "all")["found"] == 1

    def test_an_iou_of_one_half_is_enough(self) -> None:
        half = np.array([[0.0, 0, SIDE, 2 * SIDE]])
        assert RECALL.measure(found((0, 0, 0.9), boxes=half), "all")["found"] == 1
        less = np.array([[0.0, 0, SIDE, 2 * SIDE + 1]])
        assert RECALL.measure(found((0, 0, 0.9), boxes=less), "all")["found"] == 0

    def test_a_crowd_is_not_to_be_found(self) -> None:
        outcome = found(
            (0, 0, 0.9), boxes=boxes((0, 0), (1, 1)), crowds=np.array([True, False])
        )  # fmt: skip
        row = {"truths": 1, "objects": 1, "found": 0, "best": 0.9}
        assert RECALL.measure(outcome, "all") == row

    def test_without_an_object_there_is_no_recall(self) -> None:
        (values,) = RECALL.values([RECALL.measure(found((0, 0, 0.9)), "all")], {})
        assert np.isnan(values.value()["recall"])

    def test_without_anything_found_there_is_no_best_score(self) -> None:
        row = {"truths": 1, "objects": 0, "found": 0, "best": None}
        assert RECALL.measure(found(boxes=boxes((0, 0))), "all") == row

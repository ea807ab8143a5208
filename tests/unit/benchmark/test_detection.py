"""AP, AR and odAP by hand, rows that lose nothing, and weights that stand for copies."""

import json
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap.benchmark.metrics.detection import (
    LEVELS,
    Detections,
    Matches,
    average_precision,
    mask_iou_matrix,
    update_detection,
)


def detections(
    scores: list[float], iou: list[list[float]], crowds: list[bool] | None = None
) -> Detections:
    """One image; `iou` has a row for each detection."""
    there = np.zeros(len(iou[0]) if iou else 0, dtype=bool) if crowds is None else np.array(crowds)
    overlap = np.array(iou, dtype=np.float64).reshape(len(scores), len(there))
    return update_detection(np.array(scores, dtype=np.float64), overlap, there.astype(bool))


def none_found(objects: int) -> Detections:
    return detections([], [], [False] * objects)


def at_half(state: Detections) -> list[str]:
    """What became of each detection at an IoU of 0.5."""
    words = np.where(state.matched[:, 0], "right", np.where(state.ignored[:, 0], "crowd", "wrong"))
    return list(words)


def random_image(random: np.random.Generator) -> Detections:
    """Scores that never tie."""
    found, there = random.integers(0, 7), random.integers(0, 5)
    overlap = random.random((found, there)) ** 0.3
    return update_detection(random.random(found), overlap, random.random(there) < 0.2)


IMAGES = st.integers(0, 2**32).map(lambda seed: random_image(np.random.default_rng(seed)))


class TestMatching:
    def test_the_best_score_takes_the_object_and_the_next_one_is_wrong(self) -> None:
        state = detections([0.2, 0.9], [[0.95], [0.6]])
        assert state.scores.tolist() == [0.9, 0.2]
        assert at_half(state) == ["right", "wrong"]

    def test_an_object_that_is_too_far_for_the_first_is_left_to_the_second(self) -> None:
        state = detections([0.9, 0.2], [[0.6], [0.9]])
        assert state.matched.sum(axis=0).tolist() == [1] * 9 + [0]
        assert state.matched[1].tolist() == [False] * 3 + [True] * 6 + [False]

    def test_the_next_best_object_that_is_free_is_taken(self) -> None:
        assert at_half(detections([0.9, 0.8], [[0.9, 0.5], [0.8, 0.6]])) == ["right", "right"]

    def test_of_objects_with_equal_iou_the_last_is_taken(self) -> None:
        # The first detection leaves the first object, which the second one does not overlap.
        assert at_half(detections([0.9, 0.8], [[0.7, 0.7], [0.0, 0.9]])) == ["right", "wrong"]

    def test_of_equal_scores_the_first_is_the_better(self) -> None:
        assert at_half(detections([0.5, 0.5], [[0.6], [0.9]])) == ["right", "wrong"]

    @pytest.mark.parametrize("level", LEVELS)
    def test_a_level_itself_is_reached(self, level: float) -> None:
        reached = detections([1.0], [[level]]).matched[0]
        assert reached.tolist() == (level >= LEVELS).tolist()
        below = detections([1.0], [[np.nextafter(level, 0)]]).matched[0]
        assert below.sum() == reached.sum() - 1

    def test_a_crowd_takes_any_number_but_an_object_goes_first(self) -> None:
        iou = [[0.6, 1.0], [0.6, 1.0], [0.0, 0.5], [0.0, 0.4]]
        state = detections([0.9, 0.8, 0.7, 0.6], iou, [False, True])
        assert at_half(state) == ["right", "crowd", "crowd", "wrong"]
        assert state.truths.tolist() == [1]

    def test_a_hundred_count(self) -> None:
        state = detections(np.linspace(0, 1, 130).tolist(), [[0.0]] * 130)
        assert len(state.scores) == 100
        assert state.scores.min() == 30 / 129
        assert state.rank.tolist() == list(range(100))


def values_of(*states: Detections) -> dict[str, float]:
    return dict(zip(Matches.NAMES, Matches(states).compute(), strict=True))


class TestCompute:
    def test_all_found_is_one(self) -> None:
        values = values_of(detections([0.9, 0.8], [[1, 0], [0, 1]]))
        expected = {"AP": 1, "AP50": 1, "AP75": 1, "AR1": 0.5, "AR10": 1, "AR100": 1}
        assert values == pytest.approx(expected)

    def test_by_hand(self) -> None:
        # Right at 0.5 to 0.6, then wrong, then right at all levels; one of three objects is missed.
        state = detections([0.9, 0.8, 0.7], [[0.6, 0, 0], [0, 0, 0.1], [0, 1, 0]])
        values = values_of(state)
        # Precision 1 up to a recall of 1/3, 2/3 up to 2/3: 34 and 33 of 101 points.
        half = (34 * 1 + 33 * 2 / 3) / 101
        # Above that one right of three detections, up to a recall of 1/3.
        above = 34 / 3 / 101
        levels = (LEVELS <= 0.6).sum()
        assert values["AP50"] == pytest.approx(half, abs=1e-12)
        assert values["AP75"] == pytest.approx(above, abs=1e-12)
        assert values["AP"] == pytest.approx((levels * half + (10 - levels) * above) / 10)
        assert values["AR1"] == pytest.approx(levels / 10 / 3)
        assert values["AR100"] == pytest.approx((levels * 2 + (10 - levels)) / 10 / 3)

    def test_what_lies_in_a_crowd_costs_nothing(self) -> None:
        with_crowd = detections([0.9, 0.8], [[0, 1], [1, 0]], [False, True])
        assert values_of(with_crowd)["AP"] == pytest.approx(1)

    def test_nothing_found_is_zero(self) -> None:
        assert set(values_of(none_found(3)).values()) == {0}

    def test_without_any_object_there_is_no_value(self) -> None:
        assert all(map(isnan, values_of(none_found(0)).values()))
        assert all(map(isnan, values_of(detections([0.5], [[1.0]], [True])).values()))

    def test_detections_in_an_image_without_objects_count_against_those_of_others(self) -> None:
        right, wrong = detections([0.5], [[1.0]]), detections([0.9], [[]], [])
        assert values_of(right, wrong)["AP50"] == pytest.approx(0.5)
        assert values_of(right, none_found(0))["AP50"] == pytest.approx(1)


class TestStates:
    @given(st.lists(IMAGES, min_size=1, max_size=5))
    def test_all_at_once_is_one_after_the_other(self, states: list[Detections]) -> None:
        total = states[0]
        for state in states[1:]:
            total = Detections.joined([total, state])
        joined = Detections.joined(states)
        for name in ("scores", "matched", "ignored", "rank", "image", "truths"):
            np.testing.assert_array_equal(getattr(joined, name), getattr(total, name))

    @given(IMAGES)
    def test_a_row_loses_nothing(self, state: Detections) -> None:
        again = Detections.from_row(json.loads(json.dumps(state.to_row())))
        for name in ("scores", "matched", "ignored", "rank", "image", "truths"):
            np.testing.assert_array_equal(getattr(again, name), getattr(state, name))

    def test_a_row_by_hand(self) -> None:
        state = detections([0.5, 0.25], [[0.6, 0.0], [0.0, 0.5]], [False, True])
        assert state.to_row() == {"truths": 1, "found": [[0.5, 0b111, 0], [0.25, 0, 0b1]]}

    def test_several_images_are_no_row(self) -> None:
        with pytest.raises(ValueError, match="too many values"):
            Detections.joined([none_found(1), none_found(2)]).to_row()


class TestWeights:
    @given(st.lists(st.tuples(IMAGES, st.integers(0, 3)), min_size=1, max_size=6))
    def test_an_image_that_counts_n_times_is_n_images(
        self, drawn: list[tuple[Detections, int]]
    ) -> None:
        states, counts = zip(*drawn, strict=True)
        copies = [state for state, count in drawn for _ in range(count)] or [none_found(0)]
        found = Matches(states).compute(np.array(counts, dtype=np.float64))
        np.testing.assert_allclose(found, Matches(copies).compute(), rtol=1e-12)

    @given(st.lists(IMAGES, min_size=1, max_size=6))
    def test_without_weights_each_image_counts_once(self, states: list[Detections]) -> None:
        matches = Matches(states)
        np.testing.assert_array_equal(matches.compute(), matches.compute(np.ones(len(states))))


class TestOdap:
    def test_by_hand(self) -> None:
        state = detections([0.9, 0.8, 0.7], [[0.6, 0, 0], [0, 0, 0.1], [0, 1, 0]])
        # Precisions 1 and 2/3 where an object is found, the third object never.
        assert average_precision(state) == pytest.approx((1 + 2 / 3) / 3)

    def test_precision_is_made_to_fall(self) -> None:
        # wrong, right, right: 1/2 at the first object, but 2/3 at the second.
        state = detections([0.9, 0.8, 0.7], [[0, 0], [1, 0], [0, 1]])
        assert average_precision(state) == pytest.approx(2 / 3)

    def test_nothing_to_find(self) -> None:
        assert average_precision(none_found(0)) == 1
        assert average_precision(detections([0.9], [[]], [])) == 0
        assert average_precision(detections([0.9], [[1.0]], [True])) == 1

    def test_nothing_found(self) -> None:
        assert average_precision(none_found(2)) == 0

    @given(IMAGES)
    def test_is_the_area_under_the_highest_precision_at_each_recall(
        self, state: Detections
    ) -> None:
        counted = [word == "right" for word in at_half(state) if word != "crowd"]
        objects = int(state.truths[0])
        best = 0.0
        for found in range(1, objects + 1):
            cuts = [n for n in range(1, len(counted) + 1) if sum(counted[:n]) >= found]
            best += max((sum(counted[:n]) / n for n in cuts), default=0)
        expected = best / objects if objects else float(not counted)
        assert average_precision(state) == pytest.approx(expected)


class TestMaskIou:
    A = np.array([[[1, 1, 0], [1, 1, 0]], [[0, 0, 0], [0, 0, 0]]], dtype=bool)
    B = np.array([[[0, 1, 1], [0, 1, 1]], [[1, 1, 1], [0, 0, 1]], [[0, 0, 0]] * 2], dtype=bool)

    def test_by_hand(self) -> None:
        assert mask_iou_matrix(self.A, self.B).tolist() == [[2 / 6, 2 / 6, 0], [0, 0, 0]]

    def test_with_a_crowd_it_is_the_share_that_lies_in_it(self) -> None:
        crowds = np.array([False, True, True])
        assert mask_iou_matrix(self.A, self.B, crowds).tolist() == [[2 / 6, 2 / 4, 0], [0, 0, 0]]

    def test_no_masks(self) -> None:
        assert mask_iou_matrix(self.A[:0], self.B).shape == (0, 3)
        assert mask_iou_matrix(self.A, self.B[:0]).shape == (2, 0)

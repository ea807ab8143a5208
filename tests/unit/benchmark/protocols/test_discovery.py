from dataclasses import replace

import numpy as np
import pytest

from heap.base.errors import InputError
from heap.benchmark.protocols import PROTOCOLS
from heap.methods.finding import Finding, GridObject
from heap.model.objects import tight_box

from .conftest import Make

LARGE = np.array([[0.0, 20, 30, 40]])
"""Box of the cells in rows 2 and 3, columns 0 to 2."""
SMALL = np.array([[50.0, 0, 60, 10]])


def two_parts() -> Finding:
    saliency = np.zeros((4, 6), dtype=np.float32)
    saliency[2:, :3] = 0.6
    saliency[0, 5] = 0.9
    return Finding.of_saliency(saliency)


def hits(name: str, outcome: Make, boxes: np.ndarray, finding: Finding | None = None) -> bool:
    made = outcome(finding or two_parts(), boxes=boxes)
    return bool(PROTOCOLS[name].measure(made, "all")["corloc"])


def test_each_protocol_takes_its_own_box(outcome: Make) -> None:
    assert hits("corloc-found-v1", outcome, LARGE)
    assert not hits("corloc-found-v1", outcome, SMALL)
    assert hits("corloc-lost-v1", outcome, SMALL)
    assert not hits("corloc-lost-v1", outcome, LARGE)
    assert hits("corloc-any-v1", outcome, SMALL)
    assert hits("corloc-any-v1", outcome, LARGE)


def test_of_equally_large_parts_the_first_is_taken(outcome: Make) -> None:
    saliency = np.zeros((4, 6), dtype=np.float32)
    saliency[2, 0] = 0.9
    saliency[0, 5] = 0.6
    assert hits("corloc-found-v1", outcome, SMALL, Finding.of_saliency(saliency))


def test_one_half_is_background(outcome: Make) -> None:
    saliency = np.full((4, 6), 0.5, dtype=np.float32)
    whole = np.array([[0.0, 0, 60, 40]])
    assert not hits("corloc-found-v1", outcome, whole, Finding.of_saliency(saliency))
    saliency[0, 5] = 0.6
    assert hits("corloc-found-v1", outcome, SMALL, Finding.of_saliency(saliency))


def test_of_equally_salient_parts_the_largest_holds_the_seed(outcome: Make) -> None:
    finding = Finding.of_mask(two_parts().saliency > 0)
    assert hits("corloc-lost-v1", outcome, LARGE, finding)


def test_the_eleventh_object_comes_too_late(outcome: Make) -> None:
    def one(column: int, row: int) -> np.ndarray:
        cells = np.zeros((4, 6), dtype=bool)
        cells[row, column] = True
        return cells

    places = [(number % 6, number // 6) for number in range(11)]
    objects = tuple(GridObject(one(*at), 1 - 0.01 * rank) for rank, at in enumerate(places))
    finding = Finding(np.ones((4, 6), dtype=np.float32), objects)
    tenth, eleventh = ([10.0 * x, 10.0 * y, 10.0 * x + 10, 10.0 * y + 10] for x, y in places[9:])
    assert hits("corloc-any-v1", outcome, np.array([tenth]), finding)
    assert not hits("corloc-any-v1", outcome, np.array([eleventh]), finding)


def test_nothing_found_is_a_miss(outcome: Make) -> None:
    nothing = Finding.of_mask(np.zeros((4, 6), dtype=bool))
    for name in ("corloc-found-v1", "corloc-lost-v1", "corloc-any-v1"):
        assert not hits(name, outcome, LARGE, nothing)


def test_a_crowd_is_no_hit(outcome: Make) -> None:
    made = outcome(two_parts(), boxes=LARGE, crowds=np.array([True]))
    assert not PROTOCOLS["corloc-found-v1"].measure(made, "all")["corloc"]


def test_corloc_is_the_share_of_hits() -> None:
    rows = [{"corloc": True}, {"corloc": False}, {"corloc": False}, {"corloc": True}]
    (values,) = PROTOCOLS["corloc-found-v1"].values(rows, {})
    assert values.value() == {"corloc": 0.5}


def test_average_precision_by_hand(outcome: Make) -> None:
    protocol = PROTOCOLS["ap-box-v1"]
    exact = np.array([tight_box(mask) for mask in outcome(two_parts()).masks])
    right = protocol.measure(outcome(two_parts(), boxes=exact), "all")
    wrong = protocol.measure(outcome(two_parts(), boxes=np.array([[0.0, 0, 10, 10]])), "all")
    (values,) = protocol.values([right, wrong], {})
    found = values.value()
    # Of three objects two are found. By score: hit, miss, hit, miss; so the precision is 1 up to a
    # recall of 1/3 (34 of 101 points), 2/3 up to 2/3 (33 points), and 0 from there on.
    assert found["AP50"] == found["AP75"] == pytest.approx((34 + 33 * 2 / 3) / 101)
    assert (found["AR1"], found["AR100"]) == pytest.approx((1 / 3, 2 / 3))


def test_odap_of_an_image(outcome: Make) -> None:
    protocol = PROTOCOLS["odap-v1"]
    both = protocol.measure(outcome(two_parts(), boxes=np.concatenate([LARGE, SMALL])), "all")
    second = protocol.measure(outcome(two_parts(), boxes=SMALL), "all")
    assert both["odap"] == 1
    assert second["odap"] == 0.5


def test_masks_are_asked_for_where_there_are_none(outcome: Make) -> None:
    with pytest.raises(InputError, match="ap-mask-v1 needs instances"):
        PROTOCOLS["ap-mask-v1"].measure(outcome(two_parts(), boxes=LARGE), "all")


def test_mask_precision_of_perfect_masks(outcome: Make) -> None:
    made = outcome(two_parts(), boxes=np.concatenate([SMALL, LARGE]))
    exact = outcome(two_parts(), boxes=np.concatenate([SMALL, LARGE]), instances=made.masks)
    protocol = PROTOCOLS["ap-mask-v1"]
    (values,) = protocol.values([protocol.measure(exact, "all")], {})
    assert values.value() == {
        "AP": 1, "AP50": 1, "AP75": 1, "AR1": 0.5, "AR10": 1, "AR100": 1
    }  # fmt: skip


THIRD = np.array([[0.0, 0, 20, 10]])
"""Box of the first two cells, which are not foreground."""


def with_guesses(*scores: float) -> Finding:
    """The two parts, and guesses at what the boxes hold and neither part is."""
    cells = np.zeros((4, 6), dtype=bool)
    cells[0, :2] = True
    wrong = np.zeros((4, 6), dtype=bool)
    wrong[1:, 4] = True
    guesses = tuple(
        GridObject(each, score) for each, score in zip((wrong, cells), scores, strict=True)
    )
    return replace(two_parts(), proposals=guesses)


def test_a_guess_is_a_hit_where_any_box_counts_and_nowhere_else(outcome: Make) -> None:
    assert hits("corloc-any-v1", outcome, THIRD, with_guesses(0.06, 0.05))
    assert not hits("corloc-any-v1", outcome, THIRD, two_parts())
    for name in ("corloc-found-v1", "corloc-lost-v1"):
        assert not hits(name, outcome, THIRD, with_guesses(0.06, 0.05))


def test_ten_boxes_are_objects_first_and_then_guesses(outcome: Make) -> None:
    def one(place: int) -> np.ndarray:
        cells = np.zeros((4, 6), dtype=bool)
        cells[place // 6, place % 6] = True
        return cells

    def box(place: int) -> np.ndarray:
        row, col = 10.0 * (place // 6), 10.0 * (place % 6)
        return np.array([[col, row, col + 10, row + 10]])

    objects = tuple(GridObject(one(place), 0.01) for place in range(8))
    guesses = tuple(GridObject(one(place), 0.09) for place in range(8, 20))
    finding = Finding(np.ones((4, 6), dtype=np.float32), objects, proposals=guesses)
    found = [hits("corloc-any-v1", outcome, box(place), finding) for place in range(20)]
    assert found == [True] * 10 + [False] * 10


@pytest.mark.parametrize("protocol", ["ap-box-v1", "ap-mask-v1"])
def test_guesses_find_more_at_their_place_in_the_order(protocol: str, outcome: Make) -> None:
    finding = with_guesses(0.06, 0.05)
    masks = outcome(finding).candidate_masks[[0, 1, 3]]
    exact = np.array([tight_box(mask) for mask in masks])

    def measured(found: Finding) -> dict[str, float]:
        there = {"boxes": exact, "instances": masks} if "mask" in protocol else {"boxes": exact}
        row = PROTOCOLS[protocol].measure(outcome(found, **there), "all")
        (values,) = PROTOCOLS[protocol].values([row], {})
        return values.value()

    # Hit, hit, miss, hit: the precision is 1 up to a recall of 2/3 (67 of 101 points), then 3/4.
    assert measured(finding)["AP50"] == pytest.approx((67 + 34 * 3 / 4) / 101)
    assert measured(finding)["AR100"] == 1
    assert measured(with_guesses(0.05, 0.06))["AP50"] == 1, "the miss comes last"
    without = measured(two_parts())
    assert without["AP50"] == pytest.approx(67 / 101)
    assert without["AR100"] == pytest.approx(2 / 3)


def test_odap_counts_guesses(outcome: Make) -> None:
    there = np.concatenate([LARGE, SMALL, THIRD])

    def odap(finding: Finding) -> float:
        row = PROTOCOLS["odap-v1"].measure(outcome(finding, boxes=there), "all")
        return float(row["odap"])

    found = [odap(each) for each in (two_parts(), with_guesses(0.06, 0.05))]
    assert found == sorted(set(found)), "better with guesses"

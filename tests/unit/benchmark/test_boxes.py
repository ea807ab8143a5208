"""The metrics by hand, and what must hold for any mask and box."""

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heap.benchmark.metrics.boxes import (
    any_hits,
    box_iou,
    cells_box,
    centre_box,
    mask_boxes,
)
from heap.images import Geometry

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
NO_BOXES = np.zeros((0, 4))


def drawn(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


def boxes(*corners: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(corners, dtype=np.float64)


class TestBoxIou:
    def test_by_hand(self) -> None:
        a = boxes((0, 0, 10, 10), (20, 20, 30, 30))
        b = boxes((5, 0, 15, 10), (0, 0, 10, 10), (10, 0, 20, 10))
        assert box_iou(a, b).tolist() == [[1 / 3, 1, 0], [0, 0, 0]]

    def test_boxes_without_area_have_no_overlap(self) -> None:
        flat = boxes((3, 3, 3, 3))
        assert box_iou(flat, flat).tolist() == [[0]]

    def test_no_boxes(self) -> None:
        assert box_iou(NO_BOXES, boxes((0, 0, 1, 1))).shape == (0, 1)

    def test_with_a_crowd_it_is_the_share_that_lies_in_it(self) -> None:
        a = boxes((0, 0, 10, 10), (15, 0, 25, 10), (3, 3, 3, 3))
        b = boxes((0, 0, 10, 20), (0, 0, 20, 20))
        found = box_iou(a, b, np.array([False, True]))
        assert found.tolist() == [[0.5, 1], [0, 0.5], [0, 0]]

    def test_a_hair_below_a_half_stays_below(self) -> None:
        almost, whole = boxes((0, 0, 49_999_999, 1)), boxes((0, 0, 100_000_000, 1))
        value = box_iou(almost, whole)[0, 0]
        assert value < 0.5
        assert np.float32(value) == 0.5
        assert not any_hits(almost[:1], whole)


class TestMaskBoxes:
    def test_parts_that_touch_at_a_corner_are_two(self) -> None:
        found = mask_boxes(drawn("##..", "##..", "..#.", "...."))
        assert found.tolist() == [[0, 0, 2, 2], [2, 2, 3, 3]]

    def test_a_ring_is_one_part(self) -> None:
        assert mask_boxes(drawn("####", "#..#", "####")).tolist() == [[0, 0, 4, 3]]

    def test_empty(self) -> None:
        assert mask_boxes(drawn("..", "..")).shape == (0, 4)

    @given(MASKS)
    def test_the_boxes_hold_the_mask_and_their_sides_touch_it(self, mask: np.ndarray) -> None:
        covered = np.zeros_like(mask)
        for x1, y1, x2, y2 in mask_boxes(mask).astype(int):
            inside = mask[y1:y2, x1:x2]
            assert inside[0].any()
            assert inside[-1].any()
            assert inside[:, 0].any()
            assert inside[:, -1].any()
            covered[y1:y2, x1:x2] = True
        assert (covered | ~mask).all()


class TestCellsBox:
    GEOMETRY = Geometry(100, 60, 40, 30, 10)
    """A grid of 3 rows and 4 columns over 100 x 60 pixels: cells of 25 x 20."""

    def test_by_hand(self) -> None:
        assert cells_box(drawn("..##", "...#", "...."), self.GEOMETRY).tolist() == [50, 0, 100, 40]
        assert cells_box(drawn("....", "....", "#..."), self.GEOMETRY).tolist() == [0, 40, 25, 60]

    def test_of_several_parts_it_holds_all(self) -> None:
        assert cells_box(drawn(".#..", "....", "...#"), self.GEOMETRY).tolist() == [25, 0, 100, 60]


class TestAnyHits:
    TRUTH = boxes((0, 0, 10, 10), (50, 50, 60, 60))

    def test_one_half_is_a_hit(self) -> None:
        assert any_hits(boxes((0, 0, 10, 5)), boxes((0, 0, 10, 10)))
        assert not any_hits(boxes((0, 0, 10, 4.999)), boxes((0, 0, 10, 10)))

    def test_any_box_will_do_and_any_of_the_truth(self) -> None:
        found = boxes((20, 20, 30, 30), (50, 50, 60, 55))
        assert any_hits(found, self.TRUTH)
        assert not any_hits(found[:1], self.TRUTH)

    def test_finding_nothing_and_nothing_to_find_are_misses(self) -> None:
        assert not any_hits(NO_BOXES, self.TRUTH)
        assert not any_hits(self.TRUTH, NO_BOXES)
        assert not any_hits(NO_BOXES, NO_BOXES)


def test_the_centre_box_is_the_middle_three_fifths() -> None:
    assert centre_box(100, 50).tolist() == [20, 10, 80, 40]


def test_scoring_needs_no_torch() -> None:
    code = "import sys, heap.benchmark.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

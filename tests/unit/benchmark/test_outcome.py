"""What protocols see of an image: maps, parts, boxes and masks of a finding."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from properties import examples

from heap.methods.finding import Finding, GridObject

from .protocols.scenes import blocks, drawn, marked, painted, seen

EDGE = np.arange(96)[None].repeat(48, axis=0) < 42
"""The left of a picture of 3 x 6 patches of 16 pixels; it ends inside the third column."""

BENT = marked("......", ".##...", ".#....", "......")
CORNER = marked("......", "......", ".....#", "......")


class TestMaps:
    def test_smooth_is_interpolated_between_the_centres_of_patches(self) -> None:
        smooth = seen(drawn(".#"), cell=4).smooth
        assert smooth.shape == (4, 8)
        assert smooth[0] == pytest.approx([0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])

    def test_logits_are_interpolated_before_the_sigmoid(self) -> None:
        """At the third pixel the logit is -1 + 10 / 8, and saliency would be 0.36."""
        logits = np.array([[-1, 9]], dtype=np.float32)
        made = seen(Finding.of_logits(logits), cell=4)
        assert made.smooth[0, :4] == pytest.approx(1 / (1 + np.exp([1, 1, -0.25, -2.75])))
        assert np.count_nonzero(made.smooth[0] > 0.5) == 6
        alike = seen(replace(made.finding, logits=None), cell=4)
        assert np.count_nonzero(alike.smooth[0] > 0.5) == 5

    def test_a_map_of_the_size_of_the_image_stays_as_it_is(self) -> None:
        saliency = drawn("1592", "48.#")
        assert np.array_equal(seen(saliency).smooth, saliency)

    def test_guided_follows_the_picture(self) -> None:
        made = seen(drawn(*["##6..."] * 3), cell=16, pixels=painted(EDGE))
        assert np.array_equal(made.guided > 0.5, EDGE)
        assert not np.array_equal(made.smooth > 0.5, EDGE)

    def test_maps_have_the_size_of_the_original_where_the_picture_is_smaller(self) -> None:
        made = seen(drawn("#.", ".#"), size=(50, 70), pixels=painted(np.zeros((25, 35), bool)))
        assert made.smooth.shape == made.guided.shape == (50, 70)
        assert made.solved[0].shape == made.solved[1].shape == (50, 70)
        assert made.masks.shape == made.guided_masks.shape == (2, 50, 70)

    @settings(max_examples=examples(25))
    @given(arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32)))
    def test_maps_stay_in_range(self, saliency: np.ndarray) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        made = seen(saliency, cell=8, pixels=noise)
        for plane in (made.smooth, made.guided, made.solved[0]):
            assert plane.min() >= 0
            assert plane.max() <= 1


class TestSolver:
    def test_it_finds_the_edge_of_the_picture(self) -> None:
        made = seen(drawn(*["##...."] * 3), cell=16, pixels=painted(EDGE))
        soft, mask = made.solved
        assert np.array_equal(mask, EDGE)
        assert np.array_equal(soft > 0.5, EDGE)

    def test_what_it_washes_away_is_kept(self) -> None:
        saliency = drawn("......", "..#...", "......")
        made = seen(saliency, cell=8)
        soft, mask = made.solved
        assert soft.max() < 0.5
        assert np.array_equal(mask, made.smooth > 0.5)

    def test_the_grid_of_a_picture_is_made_once_for_all_methods(self) -> None:
        first = seen(drawn("#."), cell=16)
        second = replace(seen(drawn(".#"), cell=16), edges=first.edges)
        assert first.solved[1].any()
        assert second.solved[1].any()
        assert second.edges.bilateral_grid is first.edges.bilateral_grid


class TestSeedPart:
    def test_it_holds_the_most_salient_patch_however_small(self) -> None:
        assert np.array_equal(seen(drawn("88.9", "88..")).seed_part, marked("...#", "...."))

    def test_all_of_the_part_belongs_to_it_and_corners_do_not_connect(self) -> None:
        saliency = drawn("69.", "6.7", "..7")
        assert np.array_equal(seen(saliency).seed_part, marked("##.", "#..", "..."))

    def test_of_equally_salient_ones_the_largest_part_is_meant(self) -> None:
        saliency = drawn("#.##", "...#", "#...")
        assert np.array_equal(seen(saliency).seed_part, marked("..##", "...#", "...."))

    def test_a_larger_part_without_a_most_salient_patch_is_not(self) -> None:
        saliency = drawn("9.8888", "...9..", "9.....")
        assert np.array_equal(seen(saliency).seed_part, marked("..####", "...#..", "......"))
        saliency = drawn("9.8888", "......", "99....")
        assert np.array_equal(seen(saliency).seed_part, marked("......", "......", "##...."))

    def test_of_equally_large_ones_the_first_is_meant(self) -> None:
        assert np.array_equal(seen(drawn(".#.#", "#...")).seed_part, marked(".#..", "...."))

    @pytest.mark.parametrize("highest", ["5", "."])
    def test_where_nothing_is_foreground_it_is_empty(self, highest: str) -> None:
        assert not seen(drawn(f"4{highest}{highest}.")).seed_part.any()


class TestObjects:
    def test_boxes_are_those_of_cells_in_the_original(self) -> None:
        objects = tuple(GridObject(each, score) for each, score in ((BENT, 0.8), (CORNER, 0.7)))
        made = seen(Finding((BENT | CORNER).astype(np.float32), objects), size=(30, 45))
        assert made.boxes.tolist() == [[7.5, 7.5, 22.5, 22.5], [37.5, 15, 45, 22.5]]
        assert made.scores.tolist() == [0.8, 0.7]

    def test_masks_are_those_of_the_objects_in_their_order(self) -> None:
        objects = tuple(GridObject(each, score) for each, score in ((CORNER, 0.8), (BENT, 0.7)))
        made = seen(Finding((BENT | CORNER).astype(np.float32), objects), cell=10)
        assert [mask.any(axis=0).argmax() for mask in made.masks] == [50, 10]
        assert not (made.masks[0] & made.masks[1]).any()

    def test_touching_objects_share_no_pixel(self) -> None:
        left, right = marked("##..", "##.."), marked("..##", "..##")
        objects = (GridObject(left, 0.9), GridObject(right, 0.8))
        made = seen(Finding(np.ones((2, 4), dtype=np.float32), objects), cell=7)
        assert np.array_equal(made.masks[0], blocks(left, 7))
        assert np.array_equal(made.masks[1], blocks(right, 7))

    def test_guided_masks_follow_the_picture(self) -> None:
        made = seen(drawn(*["##6..."] * 3), cell=16, pixels=painted(EDGE))
        (mask,) = made.guided_masks
        assert np.array_equal(mask, EDGE)

    def test_there_may_be_none(self) -> None:
        made = seen(drawn("..", ".."), cell=10)
        assert made.boxes.shape == (0, 4)
        assert made.masks.shape == made.guided_masks.shape == (0, 20, 20)
        assert made.scores.shape == (0,)


class TestCandidates:
    OBJECTS = (GridObject(CORNER, 0.8),)
    GUESSES = (GridObject(BENT, 0.09), GridObject(BENT | CORNER, 0.05))

    def test_guesses_come_after_the_objects_and_are_no_objects(self) -> None:
        found = Finding(CORNER.astype(np.float32), self.OBJECTS, proposals=self.GUESSES)
        made = seen(found, size=(30, 45))
        assert made.boxes.tolist() == [[37.5, 15, 45, 22.5]]
        assert made.candidate_boxes.tolist() == [
            [37.5, 15, 45, 22.5], [7.5, 7.5, 22.5, 22.5], [7.5, 7.5, 45, 22.5]
        ]  # fmt: skip
        assert made.scores.tolist() == [0.8]
        assert made.candidate_scores.tolist() == [0.8, 0.09, 0.05]
        assert made.candidates == self.OBJECTS + self.GUESSES

    def test_each_guess_has_all_of_its_pixels_whatever_is_salient(self) -> None:
        wide = marked("##..", "##.."), marked("####", "####")
        guesses = tuple(GridObject(cells, 0.05) for cells in wide)
        left = wide[0].astype(np.float32)
        made = seen(Finding(left, (GridObject(wide[0], 0.9),), proposals=guesses), cell=8)
        assert made.masks.shape == (1, 16, 32)
        assert np.array_equal(made.candidate_masks[0], made.masks[0])
        for number, cells in enumerate((wide[0], *wide)):
            assert np.array_equal(made.candidate_masks[number], blocks(cells, 8))

    def test_guided_guesses_follow_the_picture(self) -> None:
        guess = GridObject(marked(*["###..."] * 3), 0.05)
        found = Finding(np.zeros((3, 6), dtype=np.float32), (), proposals=(guess,))
        made = seen(found, cell=16, pixels=painted(EDGE))
        (guided,), (plain,) = made.candidate_guided_masks, made.candidate_masks
        # The third column of patches ends 6 pixels behind the edge.
        assert (plain != EDGE).sum() == 6 * 48
        assert (guided != EDGE).sum() <= 3 * 48

    def test_without_guesses_they_are_the_objects(self) -> None:
        for made in (seen(drawn("##..", "...9"), cell=10), seen(drawn("..", ".."), cell=10)):
            assert np.array_equal(made.candidate_boxes, made.boxes)
            assert np.array_equal(made.candidate_scores, made.scores)
            assert np.array_equal(made.candidate_masks, made.masks)
            assert np.array_equal(made.candidate_guided_masks, made.guided_masks)

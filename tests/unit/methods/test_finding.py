"""The objects of a saliency map: connected parts by score."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from heap.methods.finding import Finding, connected_objects

MAPS = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.sampled_from([0, 0.2, 0.5, 0.6, 0.75, 1]))
)


def grid(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_parts_meet_at_sides_and_not_at_corners() -> None:
    found = connected_objects(grid([1, 1, 0], [0, 1, 0], [0, 0, 1]))
    assert [each.cells.tolist() for each in found] == [
        [[True, True, False], [False, True, False], [False, False, False]],
        [[False, False, False], [False, False, False], [False, False, True]],
    ]


def test_one_half_is_background() -> None:
    (found,) = connected_objects(grid([0.5, 0.51, 0.5]))
    assert found.cells.tolist() == [[False, True, False]]


def test_the_score_is_the_mean_saliency_times_the_share_of_the_foreground() -> None:
    found = connected_objects(grid([0.75, 1, 0, 0.625, 0, 1]))
    assert [each.score for each in found] == [0.875 / 2, 1 / 4, 0.625 / 4]


def test_of_equal_scores_the_larger_comes_first_and_then_the_upper_left() -> None:
    found = connected_objects(grid([1, 1, 1, 0, 0.75, 0.75, 0.75, 0.75, 0, 1, 1, 1]))
    assert {each.score for each in found} == {3 / 10}
    assert [int(np.flatnonzero(each.cells)[0]) for each in found] == [4, 0, 9]


def test_a_method_that_says_yes_or_no_is_equally_sure_of_all() -> None:
    finding = Finding.of_mask(np.array([[True, False, True]]))
    assert finding.saliency.tolist() == [[1, 0, 1]]
    assert [each.score for each in finding.objects] == [0.5, 0.5]
    assert finding.label_map is None


def test_nothing_found_is_no_object() -> None:
    assert Finding.of_mask(np.zeros((3, 4), dtype=bool)).objects == ()
    assert Finding.of_saliency(np.full((3, 4), 0.5, dtype=np.float32)).objects == ()


@given(MAPS)
def test_objects_are_all_of_the_foreground_and_each_is_one_part(saliency: np.ndarray) -> None:
    found = connected_objects(saliency)
    times_covered = sum((each.cells.astype(int) for each in found), start=np.zeros(saliency.shape))
    assert np.array_equal(times_covered, saliency > 0.5)
    assert len(found) == label(saliency > 0.5)[1]
    assert all(label(each.cells)[1] == 1 for each in found)
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


@given(MAPS)
def test_a_mirror_image_has_the_mirrored_objects(saliency: np.ndarray) -> None:
    def told(found: Finding) -> list[tuple[float, int]]:
        return [(round(each.score, 5), int(each.cells.sum())) for each in found.objects]

    there, mirrored = Finding.of_saliency(saliency), Finding.of_saliency(saliency[:, ::-1])
    assert told(there) == told(mirrored)
    assert {each.cells.tobytes() for each in there.objects} == {
        each.cells[:, ::-1].tobytes() for each in mirrored.objects
    }

import numpy as np
import pytest
from benchmarks.studies.matching import (
    PLACES,
    WAYS,
    around,
    covered,
    features_of,
    hits,
    place_directions,
)

from heap.images import Picture
from heap.model.heap import Heap


def test_the_most_alike_object_of_another_picture_decides() -> None:
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.2]], dtype=np.float32)
    of, named = np.array([0, 0, 1, 2, 3]), np.array([7, 8, 9, 9, 8])
    # The first finds the last, for the second is of its own picture; the last finds the second.
    assert hits(vectors, of, named).tolist() == [False, True, True, True, True]


def test_a_box_grows_by_a_share_of_its_sides() -> None:
    mask = np.zeros((60, 80), dtype=bool)
    mask[10:30, 20:60] = True
    assert around(mask, 0.0) == (20, 10, 60, 30)
    assert around(mask, 0.1) == pytest.approx((16, 8, 64, 32))
    assert covered(mask, (6, 8)).reshape(6, 8)[1].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]


def test_every_way_has_a_row_for_each_object(heap: Heap, pictures: list[Picture]) -> None:
    masks = np.zeros((2, *pictures[0].pixels.shape[:2]), dtype=bool)
    masks[0, 10:30, 20:60] = masks[1, 5:50, 5:20] = True
    directions = place_directions(heap)
    assert (directions @ directions.T).numpy() == pytest.approx(np.eye(PLACES), abs=1e-5)
    found = features_of(heap, pictures[0], list(masks), directions)
    assert list(found) == WAYS
    assert all(len(each) == 2 and np.isfinite(each).all() for each in found.values())
    assert not np.allclose(found["box"], found["box + 0.1"], rtol=1e-3)

"""Parts of the foreground are cut where their halves have nothing special in common."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from scipy.ndimage import label

from heap.model.separation import likeness, separate


def strip(angles: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """A part of three rows, and directions in the plane, one for each of its columns."""
    turned = np.deg2rad(np.tile(angles, 3))
    features = np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)
    return np.ones((3, len(angles)), dtype=bool), features


@pytest.mark.parametrize(("turn", "count"), [(0, 1), (70, 1), (80, 2), (180, 2)])
def test_halves_are_two_things_where_their_cosine_is_not_above_the_threshold(
    turn: float, count: int
) -> None:
    """cos 70° is 0.34 and cos 80° is 0.17."""
    cells, features = strip([0, 0, 0, turn, turn])
    pieces = separate(cells, features, 0.25, 1)
    assert len(pieces) == count
    if count == 2:
        left = next(piece for piece in pieces if piece[0, 0])
        assert left.tolist() == [[True, True, True, False, False]] * 3


def test_halves_at_right_angles_are_not_above_a_threshold_of_0() -> None:
    features = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)
    cells = np.ones((1, 4), dtype=bool)
    assert len(separate(cells, features, 0.0, 1)) == 2
    assert len(separate(cells, features, -0.01, 1)) == 1


def test_halves_are_cut_again() -> None:
    cells, features = strip([0, 0, 120, 120, 240, 240])
    sizes = sorted(int(piece.sum()) for piece in separate(cells, features, 0.25, 1))
    assert sizes == [6, 6, 6]


def test_what_is_small_is_not_cut_off() -> None:
    cells, features = strip([0, 0, 0, 180])
    assert len(separate(cells, features, 0.25, 3)) == 2
    assert len(separate(cells, features, 0.25, 4)) == 1


def test_two_things_that_are_alike_but_do_not_touch_within_a_part_stay_apart() -> None:
    """The bridge between them is unlike them, and its ends belong to two pieces."""
    cells, features = strip([0, 0, 180, 180, 0, 0])
    assert len(separate(cells, features, 0.25, 1)) == 3


@pytest.mark.parametrize(("turn", "smallest", "cosine"), [(60, 1, 0.5), (60, 6, 0.5), (60, 7, 1)])
def test_likeness_is_the_cosine_of_halves_that_are_large_enough(
    turn: float, smallest: int, cosine: float
) -> None:
    """Of 15 patches 9 are one half, and 6 the other."""
    cells, features = strip([0, 0, 0, turn, turn])
    assert likeness(cells, features, smallest) == pytest.approx(cosine, abs=1e-6)
    assert (len(separate(cells, features, 0.51, smallest)) == 2) == (smallest < 7)


def test_a_single_patch_is_itself() -> None:
    cells = np.zeros((2, 2), dtype=bool)
    cells[1, 0] = True
    (piece,) = separate(cells, np.ones((4, 3), dtype=np.float32), 0.25, 1)
    assert piece.tolist() == cells.tolist()


@settings(max_examples=examples(30))
@given(
    seed=st.integers(0, 10_000),
    alike=st.floats(-1, 1),
    smallest=st.integers(1, 6),
)
def test_pieces_are_connected_and_make_up_the_part(seed: int, alike: float, smallest: int) -> None:
    draw = np.random.default_rng(seed)
    numbered, count = label(draw.random((8, 9)) > 0.4)
    cells = numbered == draw.integers(1, count + 1)
    features = draw.normal(size=(72, 3)).astype(np.float32)
    pieces = separate(cells, features, alike, smallest)
    assert (np.sum(pieces, axis=0) == cells).all(), "all of it, and nothing twice"
    assert all(label(piece)[1] == 1 for piece in pieces)
    assert len(pieces) == 1 or min(int(piece.sum()) for piece in pieces) >= smallest

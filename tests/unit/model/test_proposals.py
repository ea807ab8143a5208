import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from scipy.ndimage import label

from heap.model.proposals import ALIKE, BEST_SCORE, LARGEST, propose

Cell = tuple[int, int]
Piece = frozenset[Cell]


def marked(shape: tuple[int, int], rows: slice, cols: slice) -> np.ndarray:
    cells = np.zeros(shape, dtype=bool)
    cells[rows, cols] = True
    return cells


SHAPE = (8, 10)
NEAR = marked(SHAPE, slice(1, 4), slice(1, 4))
FAR = marked(SHAPE, slice(5, 7), slice(5, 9))


def two_blobs() -> tuple[np.ndarray, np.ndarray]:
    """Saliency and features of two blobs that are unlike all else; the far one is salient."""
    patches = np.zeros((*SHAPE, 3), dtype=np.float32)
    patches[..., 0], patches[NEAR], patches[FAR] = 2, (0, 5, 0), (0, 0, 1)
    saliency = np.where(FAR, 1.0, np.where(NEAR, 0.5, 0.1)).astype(np.float32)
    return saliency, patches.reshape(-1, 3)


def test_two_blobs_by_hand() -> None:
    """Within them nothing differs, so that there is no third guess."""
    first, second = propose(*two_blobs(), [], 5, 0.0)
    assert np.array_equal(first.cells, FAR)
    assert np.array_equal(second.cells, NEAR)
    # The ground has 63 patches, the blobs 8 and 9, all directions are at right angles. The far
    # blob is merged with the ground first; then the near one with both, whose mean is shorter.
    far = math.sqrt(2 * 8 * 63 / 71 * 2)
    near = math.sqrt(2 * 9 * 71 / 80 * (1 + (63**2 + 8**2) / 71**2))
    assert far < near < math.sqrt(2 * 9 * 63 / 72 * 2)
    strengths = far, 0.5**0.3 * near
    expected = [0.1 * strength / (1 + strength) for strength in strengths]
    assert [first.score, second.score] == pytest.approx(expected, rel=1e-6)


def test_single_patches_that_do_not_touch_are_two_guesses() -> None:
    patches = np.tile(np.array([2, 0, 0], dtype=np.float32), (48, 1))
    patches[[9, 36]] = [[0, 5, 0], [0, 0, 1]]
    found = propose(np.full((6, 8), 0.5, dtype=np.float32), patches, [], 5, 0.0)
    assert sorted(np.flatnonzero(each.cells).tolist() for each in found) == [[9], [36]]


def test_what_is_known_is_not_guessed() -> None:
    saliency, patches = two_blobs()
    (found,) = propose(saliency, patches, [FAR], 1, 0.0)
    assert np.array_equal(found.cells, NEAR)
    # A known box of 2 x 5 patches has an IoU of 0.8 with the far blob, one of 2 x 7 has 4 / 7.
    wide = marked(SHAPE, slice(5, 7), slice(5, 10))
    assert np.array_equal(propose(saliency, patches, [wide], 1, 0.0)[0].cells, NEAR)
    wider = marked(SHAPE, slice(5, 7), slice(2, 9))
    assert np.array_equal(propose(saliency, patches, [wider], 1, 0.0)[0].cells, FAR)
    assert propose(saliency, patches, [FAR, NEAR], 5, 0.0) == []


def test_small_and_large_pieces_are_no_guesses() -> None:
    saliency, patches = two_blobs()
    assert [each.cells.sum() for each in propose(saliency, patches, [], 9, 0.1)] == [8, 9]
    assert [each.cells.sum() for each in propose(saliency, patches, [], 9, 8.5 / 80)] == [9]
    assert propose(saliency, patches, [], 9, 0.2) == [], "the ground is most of the image"


def test_no_more_than_wanted_and_none_of_a_single_patch() -> None:
    assert [len(propose(*two_blobs(), [], most, 0.0)) for most in (0, 1, 2)] == [0, 1, 2]
    one = np.ones((1, 1), dtype=np.float32), np.ones((1, 4), dtype=np.float32)
    assert propose(*one, [], 5, 0.0) == []
    pair = np.array([[0.2, 0.8]], dtype=np.float32), np.eye(2, dtype=np.float32)
    right, left = propose(*pair, [], 5, 0.0)
    assert right.cells.tolist() == [[False, True]]
    assert left.cells.tolist() == [[True, False]]
    # Both are merged at the same distance, √2, and differ by their saliency.
    strengths = [saliency**0.3 * math.sqrt(2) for saliency in (0.8, 0.2)]
    assert [right.score, left.score] == pytest.approx([0.1 * s / (1 + s) for s in strengths])


def box_of(piece: Piece) -> tuple[int, int, int, int]:
    rows, cols = zip(*piece, strict=True)
    return min(rows), min(cols), max(rows) + 1, max(cols) + 1


def box_iou(one: Piece, other: Piece) -> float:
    boxes = [
        {(row, col) for row in range(box[0], box[2]) for col in range(box[1], box[3])}
        for box in (box_of(one), box_of(other))
    ]
    return len(boxes[0] & boxes[1]) / len(boxes[0] | boxes[1])


def slow_tree(directions: np.ndarray) -> dict[Piece, float]:
    """Each piece, and the distance at which it is merged: every pair is tried at every step."""
    rows, cols, _ = directions.shape
    pieces = [frozenset({(row, col)}) for row in range(rows) for col in range(cols)]
    until: dict[Piece, float] = {}

    def mean(piece: Piece) -> np.ndarray:
        return np.asarray(np.mean([directions[cell] for cell in piece], axis=0))

    def touch(one: Piece, other: Piece) -> bool:
        return any(abs(r - s) + abs(c - d) == 1 for r, c in one for s, d in other)

    def ward(one: Piece, other: Piece) -> float:
        weight = 2 * len(one) * len(other) / (len(one) + len(other))
        return math.sqrt(weight) * float(np.linalg.norm(mean(one) - mean(other)))

    while len(pieces) > 1:
        pairs = [pair for pair in combinations(pieces, 2) if touch(*pair)]
        one, other = min(pairs, key=lambda pair: ward(*pair))
        until[one] = until[other] = ward(one, other)
        pieces = [piece for piece in pieces if piece not in (one, other)] + [one | other]
    return until


@pytest.mark.parametrize("seed", range(12))
def test_guesses_are_those_of_the_tree_that_tries_every_pair(seed: int) -> None:
    draw = np.random.default_rng(seed)
    saliency = draw.random((4, 4), dtype=np.float32)
    patches = draw.normal(size=(16, 5)).astype(np.float32)
    known = [marked((4, 4), slice(1, 3), slice(0, 1 + seed % 3))]
    directions = patches / np.linalg.norm(patches, axis=1, keepdims=True)
    tree = slow_tree(directions.reshape(4, 4, 5).astype(np.float64))

    def strength(piece: Piece) -> float:
        return float(np.mean([saliency[cell] for cell in piece]) ** 0.3 * tree[piece])

    expected: list[Piece] = []
    taken = [frozenset((int(row), int(col)) for row, col in np.argwhere(known[0]))]
    for piece in sorted(tree, key=strength, reverse=True):
        within = 2 <= len(piece) <= 8
        if within and all(box_iou(piece, other) < 0.6 for other in taken):
            expected.append(piece)
            taken.append(piece)
    found = propose(saliency, patches, known, 100, 2 / 16)
    cells = [frozenset((int(r), int(c)) for r, c in np.argwhere(each.cells)) for each in found]
    assert cells == expected
    assert len(expected) > 1
    scores = [0.1 * strength(piece) / (1 + strength(piece)) for piece in expected]
    assert [each.score for each in found] == pytest.approx(scores, rel=1e-4)


@settings(max_examples=examples(60))
@given(
    seed=st.integers(0, 100_000),
    grid=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    kinds=st.integers(1, 40),
    most=st.integers(0, 12),
    min_area=st.floats(0, 0.6),
    salient=st.booleans(),
)
def test_what_always_holds(
    seed: int, grid: tuple[int, int], kinds: int, most: int, min_area: float, salient: bool
) -> None:
    draw = np.random.default_rng(seed)
    # Few kinds of patches give equal distances; features of one kind may also be nothing.
    table = draw.normal(size=(kinds, 3)).astype(np.float32)
    table[0] = 0
    patches = table[draw.integers(0, kinds, grid[0] * grid[1])]
    saliency = draw.random(grid, dtype=np.float32) * salient
    known = [draw.random(grid) < 0.5]
    known = [cells for cells in known if cells.any()]
    found = propose(saliency, patches, known, most, min_area)
    assert len(found) <= most
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True), "best first"
    pieces = []
    for each in found:
        assert 0 < each.score < BEST_SCORE
        assert each.cells.shape == grid
        assert min_area - 1e-9 <= each.cells.mean() <= LARGEST + 1e-9
        assert label(each.cells)[1] == 1, "connected"
        pieces.append(frozenset((int(r), int(c)) for r, c in np.argwhere(each.cells)))
    for one, other in combinations(pieces, 2):
        assert not one & other or one < other or other < one, "a tree: nested or disjoint"
        assert box_iou(one, other) < ALIKE
    for cells in known:
        taken = frozenset((int(r), int(c)) for r, c in np.argwhere(cells))
        assert all(box_iou(piece, taken) < ALIKE for piece in pieces)
    again = propose(saliency, patches, known, most, min_area)
    assert [each.score for each in again] == scores
    for guess, same in zip(found, again, strict=True):
        assert np.array_equal(guess.cells, same.cells)

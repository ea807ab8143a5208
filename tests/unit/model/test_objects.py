from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from scipy.ndimage import label

from heap.config import DiscoverConfig
from heap.model.analysis import Analysis
from heap.model.objects import (
    Part,
    find_objects,
    foreground_parts,
    largest_piece,
    make_upsample,
    part_score,
    pixel_masks,
    proposed_parts,
)
from heap.results import Objects, Regions

PLAIN = DiscoverConfig(refine=False, min_area=0.0, min_score=0.0)
CELL = 8
"""Pixels of a cell."""


def regions_of(label_map: np.ndarray, embeddings: np.ndarray | None = None) -> Regions:
    """Regions with embeddings at right angles unless they are given."""
    if embeddings is None:
        embeddings = np.eye(int(label_map.max()) + 1)
    even = np.full(len(embeddings), 1 / len(embeddings), dtype=np.float32)
    return Regions(label_map.astype(np.int64), embeddings.astype(np.float32), even, even)


def special(regions: Regions) -> np.ndarray:
    """Whitened patches by which a region is as it says, and so that it has no parts."""
    patches: np.ndarray = regions.embeddings[regions.label_map.ravel()]
    return patches


def squares() -> tuple[np.ndarray, np.ndarray]:
    """Saliency and label map of two squares that touch; the one at the right is paler."""
    saliency = np.full((8, 10), 0.1, dtype=np.float32)
    label_map = np.zeros((8, 10), dtype=int)
    saliency[2:6, 2:5], label_map[2:6, 2:5] = 0.9, 1
    saliency[2:6, 5:8], label_map[2:6, 5:8] = 0.8, 2
    return saliency, label_map


def find(
    saliency: np.ndarray,
    regions: Regions,
    config: DiscoverConfig = PLAIN,
    size: tuple[int, int] | None = None,
) -> Objects:
    height, width = CELL * saliency.shape[0], CELL * saliency.shape[1]
    pixels = np.full((height, width, 3), 90, dtype=np.uint8)
    size = size or (width, height)
    return find_objects(analysis_of(saliency, regions), pixels, size, config)


def analysis_of(
    saliency: np.ndarray,
    regions: Regions,
    patches: np.ndarray | None = None,
    whitened: np.ndarray | None = None,
    objectness: np.ndarray | None = None,
) -> Analysis:
    """What a head says of an image, where everything is a thing unless `objectness` differs."""
    patches = np.eye(saliency.size, 4, dtype=np.float32) if patches is None else patches
    dim = patches.shape[1]
    if whitened is None:
        # Further channels of nothing: whitened features have as many as the features.
        whitened = special(regions)
        whitened = np.pad(whitened, ((0, 0), (0, dim - whitened.shape[1])))
    return Analysis(
        saliency,
        np.ones_like(saliency) if objectness is None else objectness,
        regions,
        patches,
        whitened,
        whitened,
        np.zeros(dim, dtype=np.float32),
        np.zeros(dim, dtype=np.float32),
    )


def parts_of(saliency: np.ndarray, regions: Regions, config: DiscoverConfig = PLAIN) -> list[Part]:
    return foreground_parts(analysis_of(saliency, regions), config)


def test_touching_things_of_different_regions_are_two_objects() -> None:
    saliency, label_map = squares()
    found = find(saliency, regions_of(label_map))
    assert found.regions.tolist() == [1, 2], "best first"
    # Each has 12 of 80 patches.
    np.testing.assert_allclose(found.scores, np.array([0.9, 0.8]) * 0.15**0.5, rtol=1e-6)
    # Each is 3 cells wide; bilinear edges are half a cell away from the cells' at most.
    np.testing.assert_allclose(found.boxes, [[16, 16, 40, 48], [40, 16, 64, 48]], atol=CELL / 2)
    left, right = (mask.decode() for mask in found.masks)
    assert not (left & right).any()
    assert found.boxes[0, 2] == found.boxes[1, 0], "no gap between them"


def test_the_same_region_is_one_object() -> None:
    saliency, label_map = squares()
    label_map[label_map == 2] = 1
    found = find(saliency, regions_of(label_map))
    assert found.regions.tolist() == [1]
    np.testing.assert_allclose(found.scores, [0.85 * 0.3**0.5], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [[16, 16, 64, 48]], atol=CELL / 2)


def test_regions_that_are_alike_are_one_object() -> None:
    saliency, label_map = squares()
    close = np.array([[0, 0, 1], [1, 0, 0], [0.9, 0.2, 0]])
    assert len(find(saliency, regions_of(label_map, close))) == 1
    strict = replace(PLAIN, merge=0.99)
    assert len(find(saliency, regions_of(label_map, close), strict)) == 2


def test_being_alike_is_passed_on_between_regions_that_are_there() -> None:
    """1 is like 2 and 2 like 3; region 2 must have foreground patches to join them."""
    angles = np.deg2rad([180, 0, 50, 100])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    saliency = np.full((3, 9), 0.9, dtype=np.float32)
    label_map = np.repeat([[1, 1, 1, 2, 2, 2, 3, 3, 3]], 3, axis=0)
    loose = replace(PLAIN, merge=0.25)
    assert len(parts_of(saliency, regions_of(label_map, embeddings), loose)) == 1
    saliency[:, 3:6] = 0
    label_map[:, 3:6] = 0
    saliency[:, 6:] = 0.9
    saliency[:, 3:6], label_map[:, 3:5], label_map[:, 5] = 0.9, 1, 3
    parts = parts_of(saliency, regions_of(label_map, embeddings), loose)
    assert [part.region for part in parts] == [1, 3]


def test_things_of_one_region_that_do_not_touch_are_two_objects() -> None:
    saliency, label_map = squares()
    saliency[:, 4:6], label_map[label_map == 2] = 0.1, 1
    found = find(saliency, regions_of(label_map))
    assert found.regions.tolist() == [1, 1]


def test_touching_at_a_corner_is_not_touching() -> None:
    saliency = np.where(np.eye(2, dtype=bool), 0.9, 0.1).astype(np.float32)
    assert len(parts_of(saliency, regions_of(np.zeros((2, 2))))) == 2


def test_small_parts_are_no_objects() -> None:
    saliency, label_map = squares()
    saliency[0, 9] = 0.9
    assert len(find(saliency, regions_of(label_map))) == 3
    assert len(find(saliency, regions_of(label_map), replace(PLAIN, min_area=1.5 / 80))) == 2
    assert len(find(saliency, regions_of(label_map), replace(PLAIN, min_area=0.5))) == 0


def test_parts_of_which_a_few_pixels_are_left_are_no_objects() -> None:
    saliency, label_map = squares()
    saliency[6, 8] = 0.6  # bilinearly, next to nothing is above the threshold
    small = find(saliency, regions_of(label_map)).masks[2].decode().mean()
    assert 0 < small < 0.2 / 80
    kept = replace(PLAIN, min_area=3.9 * float(small))
    assert len(find(saliency, regions_of(label_map), kept)) == 3
    assert len(find(saliency, regions_of(label_map), replace(PLAIN, min_area=1 / 80))) == 2


def test_the_score_of_a_part_is_how_sure_and_how_large_it_is() -> None:
    saliency = np.array([[0.9, 0.7, 0.6, 0.1], [0.2, 0.1, 0.1, 0.1]], dtype=np.float32)
    part = np.array([[True, True, False, False], [False] * 4])
    ones = np.ones((3, 5), dtype=np.float32)
    assert part_score(saliency, np.ones_like(saliency), part) == pytest.approx(0.8 * 0.5)
    assert part_score(saliency, np.full_like(saliency, 0.25), part) == pytest.approx(0.8 * 0.125)
    assert part_score(ones, ones, np.ones((3, 5), dtype=bool)) == 1
    (found,) = parts_of(saliency, regions_of(np.zeros((2, 4))))
    assert found.score == pytest.approx((0.9 + 0.7 + 0.6) / 3 * (3 / 8) ** 0.5)


def test_an_image_whose_best_part_has_a_low_score_has_no_objects() -> None:
    """The scores of the squares are 0.349 and 0.310."""
    saliency, label_map = squares()
    regions = regions_of(label_map)
    left, right = parts_of(saliency, regions)
    assert left.score > right.score
    for least, count in ((0.18, 2), (right.score, 2), (0.33, 2), (left.score, 2), (0.35, 0)):
        assert len(find(saliency, regions, replace(PLAIN, min_score=least))) == count


def beside(saliency: np.ndarray) -> np.ndarray:
    """Features by which the squares are unlike all else, and so is a bar that is not salient."""
    kinds = np.zeros(saliency.shape, dtype=int)
    kinds[2:6, 2:5], kinds[2:6, 5:8], kinds[7, :7] = 1, 2, 3
    found: np.ndarray = np.eye(4, dtype=np.float32)[kinds.ravel()]
    return found


def test_guesses_come_after_the_objects() -> None:
    saliency, label_map = squares()
    regions, patches = regions_of(label_map), beside(saliency)
    pixels = np.full((64, 80, 3), 90, dtype=np.uint8)
    known = find_objects(analysis_of(saliency, regions, patches), pixels, (80, 64), PLAIN)
    config = replace(PLAIN, proposals=3, min_area=0.05)
    found = find_objects(analysis_of(saliency, regions, patches), pixels, (80, 64), config)
    assert len(known) == 2
    np.testing.assert_array_equal(found.boxes[:2], known.boxes)
    np.testing.assert_array_equal(found.scores[:2], known.scores)
    assert found.masks[:2] == known.masks
    parts = parts_of(saliency, regions, config)
    guesses = proposed_parts(analysis_of(saliency, regions, patches), parts, config)
    np.testing.assert_allclose(found.scores[2:], [guess.score for guess in guesses])
    assert 0 < guesses[-1].score <= guesses[0].score < 0.1
    bar = [np.flatnonzero(guess.cells).tolist() for guess in guesses].index(list(range(70, 77)))
    np.testing.assert_allclose(found.boxes[2 + bar], [0, 56, 56, 64], atol=CELL / 2)
    assert found.regions[2 + bar] == 0, "the region that most of its patches belong to"


def test_guesses_overlap() -> None:
    """Both squares together are a guess, where each of them is an object."""
    saliency, label_map = squares()
    patches = beside(saliency) + np.where(label_map.reshape(-1, 1) > 0, 1, 0).astype(np.float32)
    config, regions = replace(PLAIN, proposals=1), regions_of(label_map)
    pixels = np.full((64, 80, 3), 90, dtype=np.uint8)
    left, right, both = (
        mask.decode()
        for mask in find_objects(
            analysis_of(saliency, regions, patches), pixels, (80, 64), config
        ).masks
    )
    assert not (left & right).any()
    assert (left | right)[both].mean() > 0.9
    assert both[left | right].mean() > 0.9


def test_the_order_is_that_of_scores_where_an_object_is_worse_than_a_guess() -> None:
    saliency, label_map = squares()
    saliency[0, 9] = 0.6
    pixels = np.full((64, 80, 3), 90, dtype=np.uint8)
    config, regions = replace(PLAIN, proposals=2, min_area=0.002), regions_of(label_map)
    found = find_objects(analysis_of(saliency, regions, beside(saliency)), pixels, (80, 64), config)
    crumb = 0.6 * (1 / 80) ** 0.5
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert (found.scores[2:] > crumb).any()
    index = int(np.abs(found.scores - crumb).argmin())
    np.testing.assert_allclose(found.boxes[index], [72, 0, 80, 8], atol=CELL / 2)


@pytest.mark.parametrize("config", [PLAIN, DiscoverConfig()])
def test_nothing_above_the_threshold_is_no_object(config: DiscoverConfig) -> None:
    saliency = np.full((8, 10), 0.5, dtype=np.float32)
    found = find(saliency, regions_of(np.zeros((8, 10))), config)
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == found.regions.shape == (0,)


def test_a_best_part_of_just_the_least_score_is_enough() -> None:
    """A part that is all of the image has its saliency as its score, here 1/2 and 3/4."""
    saliency = np.full((4, 4), 0.75, dtype=np.float32)
    regions = regions_of(np.zeros((4, 4), dtype=int))
    assert len(parts_of(saliency, regions, replace(PLAIN, min_score=0.75))) == 1
    assert parts_of(saliency, regions, replace(PLAIN, min_score=0.76)) == []


def test_the_largest_piece_by_hand() -> None:
    mask = np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, 0, 1, 0]], dtype=bool)
    assert np.argwhere(largest_piece(mask)).tolist() == [[1, 1], [1, 2], [2, 2]]


def test_of_equal_pieces_the_first_is_taken() -> None:
    mask = np.array([[0, 0, 1], [1, 0, 0]], dtype=bool)
    assert np.argwhere(largest_piece(mask)).tolist() == [[0, 2]]
    assert not largest_piece(np.zeros((2, 3), dtype=bool)).any()


def test_masks_are_at_the_size_of_the_original() -> None:
    saliency, label_map = squares()
    size = (10 * CELL * 3, 8 * CELL * 2)
    found = find(saliency, regions_of(label_map), size=size)
    assert {(mask.width, mask.height) for mask in found.masks} == {size}
    small = find(saliency, regions_of(label_map))
    np.testing.assert_allclose(found.boxes, small.boxes * [3, 2, 3, 2], atol=3)


@pytest.mark.parametrize("scale", [1.5, 2, 2.5, 3])
def test_masks_stay_disjoint_when_they_grow(scale: float) -> None:
    saliency, label_map = squares()
    for cut in (3, 4, 5):
        label_map[2:6, 2:cut], label_map[2:6, cut:8] = 1, 2
        size = (round(80 * scale), round(64 * scale))
        left, right = (
            mask.decode() for mask in find(saliency, regions_of(label_map), size=size).masks
        )
        assert not (left & right).any()


def test_edges_of_the_image_are_followed() -> None:
    """A bright thing that ends inside a cell: refined masks end where it ends."""
    pixels = np.full((64, 80, 3), 30, dtype=np.uint8)
    pixels[20:45, 21:59] = 220
    truth = pixels[..., 0] > 100
    saliency = truth.reshape(8, 8, 10, 8).mean(axis=(1, 3)).astype(np.float32)
    regions, patches = regions_of(np.zeros((8, 10))), np.ones((80, 2), dtype=np.float32)
    overlap = []
    for refine in (False, True):
        config = DiscoverConfig(refine=refine)
        (mask,) = find_objects(
            analysis_of(saliency, regions, patches), pixels, (80, 64), config
        ).masks
        dense = mask.decode()
        overlap.append((dense & truth).sum() / (dense | truth).sum())
    assert overlap[1] > overlap[0] + 0.1


@settings(max_examples=examples(40))
@given(
    seed=st.integers(0, 100_000),
    grid=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    refine=st.booleans(),
)
def test_what_always_holds(
    seed: int, grid: tuple[int, int], size: tuple[int, int], refine: bool
) -> None:
    draw = np.random.default_rng(seed)
    saliency = draw.random(grid, dtype=np.float32)
    _, label_map = np.unique(draw.integers(0, 3, grid), return_inverse=True)
    regions = regions_of(label_map.reshape(grid), draw.normal(size=(3, 4)))
    pixels = draw.integers(0, 256, (draw.integers(1, 40), draw.integers(1, 40), 3), dtype=np.uint8)
    patches = draw.normal(size=(saliency.size, 4)).astype(np.float32)
    whitened = draw.normal(size=(saliency.size, 4)).astype(np.float32)
    objectness = draw.uniform(0.7, 1, size=grid).astype(np.float32)
    analysis = analysis_of(saliency, regions, patches, whitened, objectness)
    config = DiscoverConfig(refine=refine, min_area=0.05, min_score=0.15)
    found = find_objects(analysis, pixels, size, config)
    assert (np.diff(found.scores) <= 0).all(), "best first"
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    if len(found):
        assert foreground_parts(analysis, config)[0].score >= 0.15
    claimed = np.zeros((size[1], size[0]), dtype=int)
    for mask, box in zip(found.masks, found.boxes, strict=True):
        dense = mask.decode()
        assert dense.shape == (size[1], size[0])
        rows, cols = np.nonzero(dense)
        tight = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
        assert box.tolist() == tight, "tight, and x2 and y2 exclusive"
        claimed += dense
    assert claimed.max(initial=0) <= 1, "disjoint"
    parts = [part.cells for part in foreground_parts(analysis, config)]
    upsample = make_upsample(pixels, refine=config.refine)
    for piece in pixel_masks(saliency, parts, upsample, config.threshold):
        assert label(piece)[1] <= 1, "connected"

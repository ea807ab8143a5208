"""Regions by hand, and neighbours against loops over all pairs."""

from fractions import Fraction
from itertools import combinations
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heap.benchmark.metrics.masks import mask_iou
from heap.benchmark.metrics.regions import (
    nearest_alike,
    recall_by_chance,
    region_classes,
    region_means,
    region_oracle,
    regions_at,
)
from heap.benchmark.truth import VOID

CAT, DOG = 8, 12
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5))


def plane(*rows: str) -> np.ndarray:
    return np.array([[int(cell) for cell in row] for row in rows], dtype=np.int64)


def mask(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


class TestRegionsAt:
    def test_a_pixel_has_the_region_of_its_patch(self) -> None:
        assert np.array_equal(regions_at(plane("01", "22"), (4, 4)),
                              plane("0011", "0011", "2222", "2222"))  # fmt: skip

    def test_height_comes_first(self) -> None:
        assert np.array_equal(regions_at(plane("01"), (1, 6)), plane("000111"))

    def test_a_border_within_a_pixel_goes_to_the_region_of_its_middle(self) -> None:
        assert np.array_equal(regions_at(plane("01"), (1, 5)), plane("00111"))
        assert np.array_equal(regions_at(plane("012"), (1, 1)), plane("1"))

    def test_there_may_be_more_regions_than_a_byte_counts(self) -> None:
        many = np.arange(300)[None]
        assert np.array_equal(regions_at(many, (2, 300)), many.repeat(2, axis=0))


class TestOracle:
    def test_by_hand(self) -> None:
        regions = plane("0011", "0011", "2222", "2222")
        truth = mask("###.", "##..", "....", "....")
        assert np.array_equal(region_oracle(regions, truth), regions == 0)
        assert mask_iou(region_oracle(regions, truth), truth) == 4 / 5

    def test_a_half_is_not_most(self) -> None:
        assert not region_oracle(plane("00"), mask("#.")).any()
        assert region_oracle(plane("000"), mask("##.")).all()

    def test_void_pixels_do_not_count(self) -> None:
        regions, truth = plane("0011"), mask("#.#.")
        found = region_oracle(regions, truth, mask("##.#"))
        assert not found.any()
        assert np.array_equal(region_oracle(regions, truth, mask("#.##")), regions == 0)

    @given(st.data())
    def test_no_other_choice_has_more_pixels_right(self, data: st.DataObject) -> None:
        shape = data.draw(SHAPES)
        regions = data.draw(arrays(np.int64, shape, elements=st.integers(0, 3)))
        truth, valid = data.draw(arrays(bool, shape)), data.draw(arrays(bool, shape))
        found = region_oracle(regions, truth, valid)
        best = max(
            np.count_nonzero((np.isin(regions, chosen) == truth) & valid)
            for chosen in ([n for n in range(4) if bits >> n & 1] for bits in range(16))
        )
        assert np.count_nonzero((found == truth) & valid) == best


class TestClasses:
    def test_a_region_has_the_class_of_more_than_half_of_its_pixels(self) -> None:
        regions = plane("000111222", "000111222")
        classes = np.array([[CAT] * 4 + [0] * 4 + [DOG]] * 2, dtype=np.uint8)
        classes[1, 0] = DOG
        assert region_classes(regions, classes, 3).tolist() == [CAT, 0, 0]

    @pytest.mark.parametrize("pixels", [[CAT, 0], [CAT, DOG], [CAT, CAT, 0, DOG]])
    def test_a_half_is_no_class(self, pixels: list[int]) -> None:
        classes = np.array([pixels], dtype=np.uint8)
        assert region_classes(np.zeros((1, len(pixels)), int), classes, 1).tolist() == [0]

    def test_void_is_left_out_and_a_region_of_nothing_else_is_void(self) -> None:
        classes = np.array([[CAT, VOID, VOID, VOID, VOID, VOID]], dtype=np.uint8)
        assert region_classes(plane("000111"), classes, 3).tolist() == [CAT, VOID, VOID]

    @given(st.data())
    def test_equals_counting_region_by_region(self, data: st.DataObject) -> None:
        shape = data.draw(SHAPES)
        regions = data.draw(arrays(np.int64, shape, elements=st.integers(0, 3)))
        classes = data.draw(arrays(np.uint8, shape, elements=st.sampled_from([0, CAT, 20, VOID])))
        for number, found in enumerate(region_classes(regions, classes, 4)):
            inside = [each for each in classes[regions == number].tolist() if each != VOID]
            most = [each for each in set(inside) if 2 * inside.count(each) > len(inside)]
            assert found == (VOID if not inside else (most or [0])[0])


def test_a_region_is_the_mean_of_its_patches_and_0_without_any() -> None:
    features = np.array([[1, 2], [3, 4], [5, 8], [0, 1]], dtype=np.float32)
    found = region_means(features, plane("20", "22"), 4)
    assert np.array_equal(found, np.array([[3, 4], [0, 0], [2, 11 / 3], [0, 0]], np.float32))


def turned(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


class TestNearest:
    def test_by_hand(self) -> None:
        embeddings = turned(0, 1, 10, 30, 90)
        classes, images = np.array([CAT, CAT, 0, CAT, DOG]), np.array([0, 0, 1, 1, 2])
        assert nearest_alike(embeddings, classes, images, 3).tolist() == [
            [False, True, False],  # 10, 30, 90: not 1, in the same image
            [False, True, False],
            [True, True, False],  # 1, 0, 90: not 10, in the same image
            [False, False, False],
        ]

    def test_of_equally_near_regions_the_first_comes_first(self) -> None:
        embeddings = turned(0, 90, 90, 90)
        classes, images = np.array([CAT, DOG, CAT, CAT]), np.array([0, 1, 2, 3])
        assert nearest_alike(embeddings, classes, images, 2)[0].tolist() == [False, True]

    def test_without_other_images_or_queries_nothing_is_found(self) -> None:
        alone = nearest_alike(turned(0, 1), np.array([CAT, CAT]), np.array([0, 0]), 4)
        assert alone.tolist() == [[False] * 4] * 2
        assert nearest_alike(turned(0, 1), np.array([0, 0]), np.array([0, 1]), 4).shape == (0, 4)
        none = np.zeros(0, dtype=np.int64)
        assert nearest_alike(np.zeros((0, 0)), none, none, 4).shape == (0, 4)

    @given(st.data())
    def test_equals_sorting_exact_similarities(self, data: st.DataObject) -> None:
        """Of whole numbers, so that equals are equal in any order of summing."""
        count, k = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
        embeddings = data.draw(arrays(np.float32, (count, 3), elements=st.integers(-2, 2)))
        classes = data.draw(arrays(np.int64, count, elements=st.sampled_from([0, CAT, DOG])))
        images = data.draw(arrays(np.int64, count, elements=st.integers(0, 3)))
        expected = []
        for query in range(count):
            if classes[query] == 0:
                continue
            others = [each for each in range(count) if images[each] != images[query]]
            near = sorted(
                others,
                key=lambda each: (
                    -sum(
                        Fraction(float(a)) * Fraction(float(b))
                        for a, b in zip(embeddings[query], embeddings[each], strict=True)
                    )
                ),
            )
            alike = [bool(classes[each] == classes[query]) for each in near[:k]]
            expected.append(alike + [False] * (k - len(alike)))
        assert nearest_alike(embeddings, classes, images, k).tolist() == expected


class TestChance:
    @given(st.data())
    def test_equals_trying_all_that_could_be_drawn(self, data: st.DataObject) -> None:
        count, k = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 3))
        classes = data.draw(arrays(np.int64, count, elements=st.sampled_from([0, CAT, DOG])))
        images = data.draw(arrays(np.int64, count, elements=st.integers(0, 3)))
        hits = []
        for query in np.flatnonzero(classes):
            others = np.flatnonzero(images != images[query])
            drawn = [*combinations(others, min(k, len(others)))]
            hits.append(
                np.mean([bool((classes[[*each]] == classes[query]).any()) for each in drawn])
            )
        found = recall_by_chance(classes, images, k)
        assert found == pytest.approx(np.mean(hits)) if hits else isnan(found)

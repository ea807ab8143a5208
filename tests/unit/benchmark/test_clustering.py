"""Clusters that are there to be found, the degenerate ones, and the matching by brute force."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist, pdist

from heap.benchmark.metrics.clustering import (
    cluster,
    cluster_iou,
    match_clusters,
    whiten_components,
)
from heap.benchmark.metrics.segmentation import compute_iou, update_confusion


def blobs(random: np.random.Generator, sizes: list[int], dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions around distinct centres, at any length, and which centre each is from."""
    which = np.repeat(np.arange(len(sizes)), sizes)
    random.shuffle(which)
    centres = np.linalg.qr(random.normal(size=(dim, len(sizes))))[0].T
    points = centres[which] + 0.02 * random.normal(size=(len(which), dim))
    return points * random.uniform(0.1, 50, (len(which), 1)), which


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    return len({*zip(a.tolist(), b.tolist(), strict=True)}) == len({*a}) == len({*b})


class TestCluster:
    @pytest.mark.parametrize("dim", [6, 100])
    def test_finds_what_is_there_whatever_the_length(self, dim: int) -> None:
        points, which = blobs(np.random.default_rng(dim), [40, 25, 30, 8, 17], 6)
        wide = points @ np.eye(6, dim)
        assert same_partition(cluster(wide, 5, seed=0), which)

    def test_float32_is_enough(self) -> None:
        points, which = blobs(np.random.default_rng(7), [20, 20, 20], 4)
        assert same_partition(cluster(points.astype(np.float32), 3, seed=0), which)

    def test_the_seed_decides(self) -> None:
        points = np.random.default_rng(1).normal(size=(200, 10))
        assert cluster(points, 8, 3).tolist() == cluster(points, 8, 3).tolist()
        assert cluster(points, 8, 3).tolist() != cluster(points, 8, 4).tolist()

    def test_fewer_objects_than_clusters_are_one_each(self) -> None:
        points = np.random.default_rng(2).normal(size=(4, 10))
        assert sorted(cluster(points, 9, 0).tolist()) == [0, 1, 2, 3]

    @pytest.mark.parametrize("count", [0, 1, 5])
    def test_equal_objects_are_one_cluster(self, count: int) -> None:
        assert cluster(np.ones((count, 3)), 4, 0).tolist() == [0] * count

    @pytest.mark.parametrize("k", [5, 6, 50])
    def test_copies_of_few_objects_stay_together(self, k: int) -> None:
        few = np.random.default_rng(3).normal(size=(6, 10))
        labels = cluster(np.tile(few, (20, 1)), k, 0)
        assert len({*labels.tolist()}) == min(k, 6)
        np.testing.assert_array_equal(labels, np.tile(labels[:6], 20))

    def test_an_embedding_of_zeros_is_an_object_like_any_other(self) -> None:
        points, which = blobs(np.random.default_rng(4), [10, 10], 2)
        points[which == 0] = 0
        assert same_partition(cluster(points, 2, 0), which)

    @given(st.integers(0, 30), st.integers(1, 12), st.integers(1, 8), st.integers(0, 9))
    def test_every_object_gets_a_number_below_k(
        self, count: int, dim: int, k: int, seed: int
    ) -> None:
        points = np.random.default_rng(seed).integers(0, 3, size=(count, dim)).astype(np.float64)
        labels = cluster(points, k, seed)
        assert labels.shape == (count,)
        assert ((labels >= 0) & (labels < k)).all()


class TestWhitened:
    def test_distances_are_those_of_mahalanobis(self) -> None:
        points = np.random.default_rng(5).normal(size=(60, 7)) @ np.diag([9, 4, 1, 1, 2, 3, 0.5])
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        inverse = np.linalg.inv(np.cov(unit.T, bias=True))
        expected = cdist(unit, unit, "mahalanobis", VI=inverse)
        found = whiten_components(points)
        np.testing.assert_allclose(cdist(found, found), expected, atol=1e-6)

    def test_components_are_at_most_32_of_unit_variance(self) -> None:
        found = whiten_components(np.random.default_rng(6).normal(size=(90, 50)))
        assert found.shape == (90, 32)
        np.testing.assert_allclose(np.cov(found.T, bias=True), np.eye(32), atol=1e-6)

    def test_rounding_errors_are_not_blown_up(self) -> None:
        plane = np.random.default_rng(8).normal(size=(40, 2)) @ np.ones((2, 30))
        assert whiten_components(plane.astype(np.float32)).shape[1] == 1

    @pytest.mark.parametrize(("height", "components"), [(2.5e-7, 1), (2e-6, 2)])
    def test_noise_is_a_millionth_of_the_largest_deviation(
        self, height: float, components: int
    ) -> None:
        """That of 400 objects is 20, and noise is what is below 2e-5."""
        signs = np.tile([[1, 1], [1, -1], [-1, 1], [-1, -1]], (100, 1))
        assert whiten_components(signs * [1, height]).shape == (400, components)

    def test_equal_objects_have_no_component(self) -> None:
        assert pdist(whiten_components(np.full((3, 4), 0.1))).tolist() == [0, 0, 0]


class TestMatching:
    def test_iou_by_hand(self) -> None:
        truth = np.array([[0, 0, 1, 1, 255]], dtype=np.uint8)
        clusters = np.array([[1, 0, 0, 0, 1]])
        found = cluster_iou(update_confusion(clusters, truth, 3))
        assert found.tolist() == [[1 / 4, 2 / 3, 0], [1 / 2, 0, 0], [0, 0, 0]]

    @given(
        st.integers(1, 5).flatmap(
            lambda size: arrays(np.float64, (size, size), elements=st.floats(0, 1, width=16))
        )
    )
    def test_no_other_one_to_one_matching_is_better(self, overlap: np.ndarray) -> None:
        found = match_clusters(overlap)
        clusters = np.arange(len(overlap))
        assert sorted(found.tolist()) == clusters.tolist()
        best = max(overlap[clusters, list(order)].sum() for order in permutations(clusters))
        assert overlap[clusters, found].sum() == pytest.approx(best)

    def test_clusters_left_over_get_no_class(self) -> None:
        overlap = np.array([[0.1, 0.2], [0.0, 0.9], [0.8, 0.0]])
        assert match_clusters(overlap).tolist() == [-1, 1, 0]

    def test_classes_left_over_get_no_cluster(self) -> None:
        assert match_clusters(np.array([[0.1, 0.2, 0.9]])).tolist() == [2]

    def test_clusters_that_are_the_classes_under_other_names_score_one(self) -> None:
        random = np.random.default_rng(10)
        truth = random.integers(0, 5, size=(30, 30), dtype=np.uint8)
        renamed = np.array([3, 0, 4, 1, 2])[truth]
        mapping = match_clusters(cluster_iou(update_confusion(renamed, truth, 5)))
        assert compute_iou(update_confusion(mapping[renamed], truth, 5)).tolist() == [1] * 5

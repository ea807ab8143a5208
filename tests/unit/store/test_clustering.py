import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from properties import examples
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

from heap.categories.cluster import Clusters, cluster, match_clusters, numbers_to_try
from heap.categories.groups import group_prototypes
from heap.categories.tree import tree_of
from heap.store.columns import unit_vectors


def blobs(
    sizes: tuple[int, ...], dim: int = 16, noise: float = 0.15
) -> tuple[np.ndarray, np.ndarray]:
    """Directions near different axes, of any length, and which axis it is."""
    draw = np.random.default_rng(5)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(dim)[truth] + noise * draw.normal(size=(len(truth), dim))
    return (vectors * draw.uniform(0.1, 9, (len(truth), 1))).astype(np.float32), truth


@pytest.mark.parametrize("count", [3, None])
def test_what_is_alike_is_found_whatever_its_length(count: int | None) -> None:
    vectors, truth = blobs((40, 60, 25))
    clusters = cluster(vectors, count)
    labels, similarity = clusters.assign(vectors)
    assert len(clusters.prototypes) == 3
    kept = labels >= 0
    assert kept.mean() > 0.9
    assert adjusted_rand_score(truth[kept], labels[kept]) == 1
    # By size, largest first.
    assert [int(np.bincount(truth[labels == each]).argmax()) for each in range(3)] == [1, 0, 2]
    np.testing.assert_allclose(np.linalg.norm(clusters.prototypes, axis=1), 1, rtol=1e-5)
    near = np.einsum("vd,vd->v", unit_vectors(vectors), clusters.prototypes[labels])
    np.testing.assert_allclose(similarity[kept], near[kept], rtol=1e-5)


def test_what_fits_nowhere_is_kept_apart() -> None:
    vectors, _ = blobs((50, 50))
    stray = -np.ones((1, 16), dtype=np.float32)
    labels, _ = cluster(np.concatenate([vectors, stray]), 2).assign(stray)
    assert labels.tolist() == [-1]


def test_of_what_is_all_the_same_nothing_is_cast_out() -> None:
    same = np.ones((9, 4), dtype=np.float32)
    labels, similarity = cluster(same, 1).assign(same)
    assert labels.tolist() == [0] * 9
    np.testing.assert_allclose(similarity, 1, rtol=1e-5)


def test_the_same_vectors_give_the_same_clusters() -> None:
    vectors, _ = blobs((30, 30, 30))
    first, second = cluster(vectors, None), cluster(vectors, None)
    assert np.array_equal(first.prototypes, second.prototypes)
    assert np.array_equal(first.least, second.least)


@given(vectors=arrays(np.float32, st.tuples(st.integers(2, 12), st.just(3)),
                      elements=st.floats(-1, 1, width=32)))  # fmt: skip
@settings(max_examples=examples(30), deadline=None)
def test_any_vectors_can_be_clustered(vectors: np.ndarray) -> None:
    labels, similarity = cluster(vectors, None).assign(vectors)
    assert np.isfinite(similarity).all()
    assert labels.max() >= 0


def test_without_clear_groups_categories_are_small() -> None:
    vectors = np.random.default_rng(0).normal(size=(400, 24)).astype(np.float32)
    count = len(cluster(vectors, None).prototypes)
    assert 400 / count <= (2 * 400) ** 0.5
    assert len(cluster(vectors[:5], None).prototypes) == 2  # no more than one for two or three


def test_numbers_that_are_tried() -> None:
    assert numbers_to_try(2) == [2]
    assert numbers_to_try(30) == [2, 3, 4, 6, 8]
    assert numbers_to_try(10**6)[-1] <= 96


def test_a_cluster_goes_on_the_one_that_it_shares_most_with() -> None:
    new = np.array([0, 0, 0, 1, 1, 2, -1, 0])
    old = np.array([7, 7, 9, 9, 9, -1, 7, -1])
    assert match_clusters(new, old) == {0: 7, 1: 9}
    # One to one: the second best match is worth more in sum.
    new = np.array([0] * 6 + [1] * 3)
    old = np.array([7] * 4 + [9] * 2 + [7] * 3)
    assert match_clusters(new, old) == {0: 9, 1: 7}
    assert match_clusters(np.array([0, 1]), np.array([-1, -1])) == {}


def test_nearest_prototype_by_hand() -> None:
    clusters = Clusters(np.eye(2, dtype=np.float32), np.array([0.5, 0.99], dtype=np.float32))
    found, similarity = clusters.assign(np.array([[3, 1], [1, 3], [0, -1]], dtype=np.float32))
    assert found.tolist() == [0, -1, -1]
    np.testing.assert_allclose(similarity, [3 / 10**0.5, 3 / 10**0.5, 0], rtol=1e-5)


def test_the_tree_is_that_of_scipy() -> None:
    """Without steps of k-means a cut is one of Ward's hierarchy."""
    unit = unit_vectors(np.random.default_rng(2).normal(size=(120, 6)).astype(np.float32))
    tree = tree_of(unit)
    for count in (1, 2, 7, 40, 120):
        part = np.arange(120)
        for kept, gone in tree.merges[: 120 - count]:
            part[part == gone] = kept
        peer = fcluster(linkage(unit.astype(np.float64), "ward"), count, "maxclust")
        assert adjusted_rand_score(part, peer) == 1


def test_leaves_of_many_vectors_weigh_as_much_as_they_hold() -> None:
    vectors, truth = blobs((300, 200, 100), noise=0.05)
    tree = tree_of(vectors, leaves=30)
    assert tree.counts.sum() == 600
    assert len(tree.counts) <= 30
    np.testing.assert_allclose(
        (tree.means * tree.counts[:, None]).sum(axis=0),
        unit_vectors(vectors).sum(axis=0),
        rtol=1e-3,
    )
    assert adjusted_rand_score(tree.cut(3), truth) == 1


def test_a_cut_has_the_number_that_is_asked_for() -> None:
    vectors, _ = blobs((40, 60, 25))
    tree = tree_of(vectors)
    for count in (1, 2, 9, 50, 125):
        assert len(np.unique(tree.cut(count))) == count


def test_groups_bring_like_categories_together() -> None:
    directions = np.eye(4)[[3, 1, 0, 1, 2, 0, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]]
    noise = 0.1 * np.random.default_rng(3).normal(size=(16, 4))
    groups = group_prototypes(unit_vectors((directions + noise).astype(np.float32)))
    # By their first members: 3, 1, 0, 2 along the axes.
    assert groups.tolist() == [1, 2, 3, 2, 4, 3, 4, 1, 3, 2, 4, 1, 3, 2, 4, 1]
    # Few are seen at a glance.
    assert group_prototypes(np.eye(8, dtype=np.float32)).tolist() == [1] * 8

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heap.methods.graph import (
    WEAK,
    affinity,
    checked_vectors,
    connected_part,
    cosines,
    cut_vector,
    first_largest,
    is_uniform,
)

# Cosines: 0.6 of the first two, 0.8 of the last two, 0 of the first and the last.
THREE = np.array([[2.0, 0.0], [3.0, 4.0], [0.0, 5.0]])


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_vectors_are_what_was_given(kind: torch.dtype) -> None:
    patches = torch.tensor(THREE, dtype=kind, requires_grad=True)
    np.testing.assert_array_equal(checked_vectors(patches, (1, 3)), THREE)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_counted(bad: float) -> None:
    patches = torch.ones(4, 3)
    patches[1] = bad
    with pytest.raises(ValueError, match="1 of 4 patches"):
        checked_vectors(patches, (2, 2))


@pytest.mark.parametrize(("count", "grid"), [(0, (0, 3)), (5, (2, 3)), (6, (2, 2))])
def test_patches_must_fill_the_grid(count: int, grid: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{count} patches do not fill a grid"):
        checked_vectors(torch.ones(count, 2), grid)


def test_cosines_by_hand() -> None:
    expected = [[1, 0.6, 0], [0.6, 1, 0.8], [0, 0.8, 1]]
    np.testing.assert_allclose(cosines(THREE), expected, atol=1e-15)


def test_the_affinity_by_hand() -> None:
    linked = [[1, 1, WEAK], [1, 1, 1], [WEAK, 1, 1]]
    assert affinity(THREE, 0.5).tolist() == linked
    assert affinity(THREE, 0.7).tolist() == [[1, WEAK, WEAK], [WEAK, 1, 1], [WEAK, 1, 1]]


def test_a_patch_of_length_zero_is_like_nothing() -> None:
    features = np.array([[0.0, 0.0], [1.0, 0.0]])
    assert cosines(features).tolist() == [[0, 0], [0, 1]]
    assert affinity(features, 0.2).tolist() == [[WEAK, WEAK], [WEAK, 1]]


@pytest.mark.parametrize("count", [3, 50, 301])
def test_cosines_are_symmetric_to_the_last_digit(count: int) -> None:
    found = cosines(np.random.default_rng(count).standard_normal((count, 65)))
    np.testing.assert_array_equal(found, found.T)


def test_a_graph_is_uniform_if_its_edges_are() -> None:
    graph = np.full((4, 4), 0.3)
    assert is_uniform(graph)
    assert is_uniform(graph + np.diag([5.0, 1, 2, 3]))
    assert is_uniform(graph + 1e-12 * np.arange(16).reshape(4, 4))
    for place in [(0, 1), (1, 0), (2, 1), (3, 2), (0, 3)]:
        other = graph.copy()
        other[place] += WEAK
        assert not is_uniform(other)


def test_a_graph_of_one_or_two_patches_has_one_way_to_be_cut() -> None:
    assert is_uniform(np.ones((1, 1)))
    assert is_uniform(np.array([[1, WEAK], [WEAK, 1]]))


@pytest.mark.parametrize("seed", range(3))
def test_the_cut_vector_solves_its_equation(seed: int) -> None:
    graph = affinity(np.random.default_rng(seed).standard_normal((60, 8)), 0.2)
    degree, vector = graph.sum(axis=1), cut_vector(graph)
    laplacian = np.diag(degree) - graph
    value = vector @ laplacian @ vector
    np.testing.assert_allclose(laplacian @ vector, value * degree * vector, atol=1e-9)
    assert vector @ (degree * vector) == pytest.approx(1)
    assert degree @ vector == pytest.approx(0, abs=1e-9)
    others = np.linalg.eigvals(laplacian / degree[:, None]).real
    assert value == pytest.approx(np.sort(others)[1])


def test_the_cut_vector_of_two_graphs_that_do_not_touch() -> None:
    """Constant on each; with degrees 2, 2 and 3, 3, 3 it is (a, a, b, b, b) with 4 a + 9 b = 0 and
    4 a² + 9 b² = 1, so a = 1.5 / √13 and b = -a / 2.25."""
    graph = np.zeros((5, 5))
    graph[:2, :2] = graph[2:, 2:] = 1
    vector = cut_vector(graph)
    first = 1.5 / 13**0.5
    expected = np.array([1, 1, *[-4 / 9] * 3]) * first
    np.testing.assert_allclose(vector * np.sign(vector[0]), expected, atol=1e-9)


def test_a_patch_without_edges_gets_nothing() -> None:
    graph = np.zeros((6, 6))
    graph[:2, :2] = graph[2:5, 2:5] = 1
    vector = cut_vector(graph)
    assert vector[5] == 0
    np.testing.assert_allclose(abs(vector[:5]), abs(cut_vector(graph[:5, :5])), atol=1e-9)


def test_the_first_of_the_largest() -> None:
    assert first_largest(np.array([1.0, 3, 2, 3])) == 1
    assert first_largest(np.array([1.0, 3, 3 + 1e-9])) == 1
    assert first_largest(np.array([1.0, 3, 3 + 1e-4])) == 2
    assert first_largest(np.array([-2.0, -1, -1 + 1e-9])) == 1
    assert first_largest(np.zeros(3)) == 0


MASK = np.array([[1, 1, 0], [0, 0, 1], [0, 1, 1]], dtype=bool)


def test_the_part_of_a_cell_by_hand() -> None:
    assert connected_part(MASK, (0, 1)).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert connected_part(MASK, (2, 1)).tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 1]]


def test_a_cell_outside_the_mask_has_no_part() -> None:
    assert not connected_part(MASK, (0, 2)).any()


@given(st.integers(1, 30), st.floats(-1, 1), st.integers(0, 99))
def test_uniform_is_what_it_says_of_any_graph(count: int, threshold: float, seed: int) -> None:
    graph = affinity(np.random.default_rng(seed).standard_normal((count, 3)), threshold)
    edges = {graph[p, q] for p in range(count) for q in range(count) if p != q}
    assert is_uniform(graph) == (len(edges) <= 1)

import numpy as np
import pytest
import torch

from heap.peers.graph import WEAK, affinity, cut_vector, part_of


def test_the_affinity_by_hand() -> None:
    # Cosines: 0.6 of the first two, 0.8 of the last two, 0 of the first and the last.
    patches = torch.tensor([[2.0, 0.0], [3.0, 4.0], [0.0, 5.0]])
    linked = [[1, 1, WEAK], [1, 1, 1], [WEAK, 1, 1]]
    assert affinity(patches, 0.5).tolist() == linked
    assert affinity(patches, 0.7).tolist() == [[1, WEAK, WEAK], [WEAK, 1, 1], [WEAK, 1, 1]]


def test_a_patch_of_length_zero_is_like_nothing() -> None:
    graph = affinity(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), 0.2)
    assert graph.tolist() == [[WEAK, WEAK], [WEAK, 1]]


def test_the_affinity_is_symmetric_at_the_threshold() -> None:
    patches = torch.randn(300, 64, generator=torch.Generator().manual_seed(0))
    unit = torch.nn.functional.normalize(patches, dim=-1)
    threshold = float((unit @ unit.T).flatten().median())
    graph = affinity(patches, threshold)
    np.testing.assert_array_equal(graph, graph.T)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_counted(bad: float) -> None:
    patches = torch.ones(4, 3)
    patches[1] = bad
    with pytest.raises(ValueError, match="1 of 4 patches"):
        affinity(patches, 0.2)


@pytest.mark.parametrize("seed", range(3))
def test_the_cut_vector_solves_its_equation(seed: int) -> None:
    patches = torch.randn(60, 8, generator=torch.Generator().manual_seed(seed))
    graph = affinity(patches, 0.2)
    degree, vector = graph.sum(axis=1), cut_vector(graph)
    laplacian = np.diag(degree) - graph
    value = vector @ laplacian @ vector
    np.testing.assert_allclose(laplacian @ vector, value * degree * vector, atol=1e-9)
    assert vector @ (degree * vector) == pytest.approx(1)
    assert degree @ vector == pytest.approx(0, abs=1e-9)
    others = np.linalg.eigvals(laplacian / degree[:, None]).real
    assert value == pytest.approx(np.sort(others)[1])


MASK = np.array([[1, 1, 0], [0, 0, 1], [0, 1, 1]], dtype=bool)


def test_the_part_of_a_cell_by_hand() -> None:
    assert part_of(MASK, (0, 1)).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert part_of(MASK, (2, 1)).tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 1]]


def test_a_cell_outside_the_mask_has_no_part() -> None:
    assert not part_of(MASK, (0, 2)).any()

"""TokenCut against the generalised problem, solved densely, with everything else in loops."""

import numpy as np
import pytest
import torch
from real_maps import COUNT, real_maps
from scipy.linalg import eigh

from heap.benchmark.metrics.masks import mask_iou
from heap.methods.tokencut import Cut, TokenCut, tokencut

GRIDS = [(6, 6), (8, 12), (13, 5), (14, 14), (1, 20), (9, 3)]
WEAK = 1e-5


def reference(features: np.ndarray, grid: tuple[int, int], threshold: float) -> Cut:
    unit = [vector / np.linalg.norm(vector) for vector in features.astype(np.float64)]
    count = len(unit)
    graph = np.empty((count, count))
    for p in range(count):
        for q in range(count):
            graph[p, q] = 1 if unit[p] @ unit[q] > threshold else WEAK
    degrees = np.diag(graph.sum(axis=1))
    vector = eigh(degrees - graph, degrees, subset_by_index=[1, 1])[1][:, 0]
    side = vector > vector.mean()
    # The first of those that are the farthest: rounding does not tell patches apart.
    seed = max(range(count), key=lambda p: (float(f"{abs(vector[p]):.7g}"), -p))
    if not side[seed]:
        side, vector = ~side, -vector
    row, col = divmod(seed, grid[1])
    return Cut(side.reshape(grid), vector.reshape(grid).astype(np.float32), (row, col))


def flooded(mask: np.ndarray, seed: tuple[int, int]) -> np.ndarray:
    """The 4-connected part by walking from cell to cell."""
    found = np.zeros_like(mask)
    waiting = [seed]
    while waiting:
        row, col = waiting.pop()
        inside = 0 <= row < mask.shape[0] and 0 <= col < mask.shape[1]
        if inside and mask[row, col] and not found[row, col]:
            found[row, col] = True
            waiting += [(row + 1, col), (row - 1, col), (row, col + 1), (row, col - 1)]
    return found


def blocks(seed: int, noise: float) -> tuple[torch.Tensor, tuple[int, int]]:
    """Features of up to four rectangles of one prototype each, on a background of another."""
    random = np.random.default_rng(seed)
    grid = GRIDS[seed % len(GRIDS)]
    labels = np.zeros(grid, dtype=int)
    for number in range(1, random.integers(2, 5)):
        top, left = random.integers(0, grid[0]), random.integers(0, grid[1])
        labels[top : top + random.integers(1, 6), left : left + random.integers(1, 6)] = number
    prototypes = random.standard_normal((5, 24))
    features = prototypes[labels.ravel()] + noise * random.standard_normal((labels.size, 24))
    return torch.from_numpy(features).float(), grid


@pytest.mark.parametrize("noise", [0.3, 1.0])
@pytest.mark.parametrize("seed", range(15))
def test_the_cut_is_that_of_the_dense_problem(seed: int, noise: float) -> None:
    features, grid = blocks(seed, noise)
    ours, theirs = tokencut(features, grid), reference(features.numpy(), grid, 0.2)
    assert 0 < ours.partition.sum() < ours.partition.size
    assert mask_iou(ours.partition, theirs.partition) >= 0.99
    np.testing.assert_allclose(ours.eigenvector, theirs.eigenvector, atol=1e-5)
    largest = abs(theirs.eigenvector).max()
    assert theirs.eigenvector[ours.seed] == pytest.approx(largest, rel=1e-4)
    np.testing.assert_array_equal(ours.part, flooded(ours.partition, ours.seed))


@pytest.mark.parametrize("threshold", [0.0, 0.15, 0.5])
def test_other_thresholds(threshold: float) -> None:
    features, grid = blocks(3, 1.0)
    ours = tokencut(features, grid, threshold)
    theirs = reference(features.numpy(), grid, threshold)
    assert mask_iou(ours.partition, theirs.partition) >= 0.99


def test_a_long_chain_is_cut_in_the_middle() -> None:
    """Each patch is linked to its neighbours in the chain alone: Lanczos takes too long there."""
    links = torch.eye(401)
    chain = links[:-1] + links[1:]
    ours, theirs = tokencut(chain, (20, 20)), reference(chain.numpy(), (20, 20), 0.2)
    # Both ends are equally far from the cut, and the first one counts.
    np.testing.assert_array_equal(np.flatnonzero(ours.partition), np.arange(200))
    sign = np.sign(theirs.eigenvector[0, 0])
    np.testing.assert_allclose(ours.eigenvector, sign * theirs.eigenvector, atol=1e-5)


@pytest.mark.parametrize("number", range(COUNT))
@pytest.mark.parametrize("centred", [True, False])
def test_on_real_maps(number: int, centred: bool) -> None:
    image = real_maps(centred=centred)[number]
    features, threshold = image.features, 0.2 if centred else 0.7
    theirs = reference(features.patches.numpy(), features.grid, threshold)
    whole = TokenCut(threshold=threshold, whole=True)(image).saliency > 0.5
    assert 0 < whole.sum() < whole.size
    assert mask_iou(whole, theirs.partition) >= 0.99
    part = TokenCut(threshold=threshold)(image).saliency > 0.5
    assert mask_iou(part, flooded(theirs.partition, theirs.seed)) >= 0.99

"""MaskCut against its description: features set to zero, the problem solved densely, loops."""

import numpy as np
import pytest
from real_maps import COUNT, real_maps
from scipy.linalg import eigh

from heap.benchmark.metrics.masks import mask_iou
from heap.methods.maskcut import MaskCut

WEAK = 1e-5
Cells = set[tuple[int, int]]


def links(keys: np.ndarray, threshold: float) -> np.ndarray:
    unit = [key / max(float(np.sqrt(key @ key)), 1e-12) for key in keys]
    return np.array([[1 if p @ q > threshold else WEAK for q in unit] for p in unit])


def second_vector(graph: np.ndarray) -> np.ndarray:
    """With the sign of CutLER's own call: what is at the corners depends on it."""
    degrees = np.diag(graph.sum(axis=1))
    return np.asarray(eigh(degrees - graph, degrees, subset_by_index=[1, 2])[1][:, 0])


def farthest(values: np.ndarray) -> int:
    """The first of those that are the largest: rounding does not tell patches apart."""
    return max(range(len(values)), key=lambda p: (float(f"{values[p]:.6g}"), -p))


def one_object(keys: np.ndarray, grid: tuple[int, int], threshold: float) -> Cells:
    rows, cols = grid
    graph = links(keys, threshold)
    if (graph == graph[0, 0]).all():
        return set()
    vector = second_vector(graph)
    side = vector > vector.mean()
    corners = [0, cols - 1, (rows - 1) * cols, rows * cols - 1]
    if sum(side[corner] for corner in corners) >= 3 or not side[farthest(abs(vector))]:
        side, vector = ~side, -vector
    part: Cells = set()
    waiting = [divmod(farthest(vector), cols)]
    while waiting:
        row, col = waiting.pop()
        inside = 0 <= row < rows and 0 <= col < cols
        if inside and side[row * cols + col] and (row, col) not in part:
            part.add((row, col))
            waiting += [(row + 1, col), (row - 1, col), (row, col + 1), (row, col - 1)]
    return part


def reference(
    keys: np.ndarray, grid: tuple[int, int], threshold: float, count: int
) -> list[np.ndarray]:
    keys = keys.astype(np.float64)
    objects: list[Cells] = []
    taken: Cells = set()
    before: Cells = set()
    for number in range(count):
        part = one_object(keys, grid, threshold)
        if number > 0:
            overlap = len(part & before) / max(len(part | before), 1)
            if overlap > 0.5 or len(part) <= 0.01 * grid[0] * grid[1]:
                part = set()
        if part - taken:
            objects.append(part - taken)
        taken, before = taken | part, part
        for row, col in part:
            keys[row * grid[1] + col] = 0
    masks = [np.zeros(grid, dtype=bool) for _ in objects]
    for mask, cells in zip(masks, objects, strict=True):
        mask[tuple(np.array(sorted(cells)).T)] = True
    return masks


@pytest.mark.parametrize("number", range(COUNT))
@pytest.mark.parametrize(("centred", "threshold"), [(True, 0.15), (True, 0.4)])
def test_on_real_maps(number: int, centred: bool, threshold: float) -> None:
    image = real_maps(centred=centred)[number]
    found = [each.cells for each in MaskCut(threshold=threshold, objects=3)(image).objects]
    features = image.features
    theirs = reference(features.patches.numpy(), features.grid, threshold, 3)
    assert len(found) == len(theirs)
    for ours, other in zip(found, theirs, strict=True):
        assert mask_iou(ours, other) >= 0.99


def test_real_maps_have_objects_and_some_have_several() -> None:
    images = real_maps(centred=True)
    assert sum(len(MaskCut()(image).objects) > 0 for image in images) > COUNT / 2
    assert {2, 3} <= {len(MaskCut(threshold=0.4)(image).objects) for image in images}

"""LOST against its description, patch by patch."""

import numpy as np
import pytest
from real_maps import COUNT, real_maps

from heap.benchmark.metrics.masks import mask_iou
from heap.methods.lost import Lost, lost


def reference(
    keys: np.ndarray, grid: tuple[int, int], count: int, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Everything like the seed and those that joined it; and the part with the seed in it."""
    rows, cols = grid
    keys = keys.astype(np.float64)
    size = rows * cols

    length = [float(np.sqrt(key @ key)) for key in keys]

    def correlation(p: int, q: int) -> float:
        return float(keys[p] @ keys[q]) - threshold * length[p] * length[q]

    graph = [[correlation(p, q) for q in range(size)] for p in range(size)]
    degree = [sum(graph[p][q] > 0 for q in range(size) if q != p) for p in range(size)]
    order = sorted(range(size), key=lambda p: (degree[p], p))
    seed = order[0]
    joined = [p for p in order[:count] if graph[seed][p] > 0]
    alike = np.zeros(grid, dtype=bool)
    for q in range(size):
        alike[q // cols, q % cols] = sum(graph[p][q] for p in joined) > 0
    part, waiting = np.zeros(grid, dtype=bool), [divmod(seed, cols)]
    while waiting:
        row, col = waiting.pop()
        if 0 <= row < rows and 0 <= col < cols and alike[row, col] and not part[row, col]:
            part[row, col] = True
            waiting += [(row + 1, col), (row - 1, col), (row, col + 1), (row, col - 1)]
    return alike, part


@pytest.mark.parametrize("number", range(COUNT))
@pytest.mark.parametrize(
    ("centred", "settings"),
    [(True, Lost()), (False, Lost(patches=25, threshold=0.4))],
    ids=["LOST's own", "not centred"],
)
def test_on_real_maps(number: int, centred: bool, settings: Lost) -> None:
    image = real_maps(centred=centred)[number]
    grid, keys = image.features.grid, image.features.patches.numpy()
    alike, part = reference(keys, grid, settings.patches, settings.threshold)
    assert mask_iou(settings(image).saliency > 0.5, part) >= 0.99
    grown = lost(image.features.patches, grid, settings.patches, settings.threshold)
    assert mask_iou(grown.foreground, alike) >= 0.99


def test_on_most_real_maps_the_object_is_not_all() -> None:
    shares = [Lost()(image).saliency.mean() for image in real_maps(centred=True)]
    assert sum(0.02 < share < 0.9 for share in shares) > COUNT / 2

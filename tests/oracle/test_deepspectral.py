"""Deep Spectral Methods against the generalised problem, solved densely, with neighbours sorted."""

import math

import numpy as np
import pytest
from PIL import Image
from real_maps import COUNT, real_maps
from scipy.linalg import eigh

from heap.benchmark.metrics.masks import mask_iou
from heap.methods.deepspectral import DeepSpectral, colour_links
from heap.methods.finding import Observed


def links(pixels: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """For each cell, all others sorted by distance, and those that are as near as the last."""
    rows, cols = grid
    small = np.asarray(Image.fromarray(pixels).resize((cols, rows), Image.Resampling.BILINEAR))
    found = np.zeros((rows * cols, rows * cols))
    for count, weight in ((20, 2.0), (10, 0.1)):
        points = [
            (*(int(value) / 255 for value in small[row, col]),
             weight * row / (rows - 1), weight * col / (cols - 1))
            for row in range(rows) for col in range(cols)
        ]  # fmt: skip
        for here, point in enumerate(points):
            distances = [math.dist(point, other) for other in points]
            last = sorted(distances)[count - 1]
            for there, distance in enumerate(distances):
                if distance <= last + 1e-9:
                    found[here, there] += 1
                    found[there, here] += 1
    return found


def reference(image: Observed, colour: float) -> np.ndarray:
    keys = image.features.patches.numpy().astype(np.float64)
    unit = [key / np.sqrt(key @ key) for key in keys]
    graph = np.array([[max(p @ q, 0) for q in unit] for p in unit])
    graph = graph / graph.max() + colour * links(image.pixels, image.features.grid)
    degrees = np.diag(graph.sum(axis=1))
    vector = eigh(degrees - graph, degrees)[1][:, 1]
    side = vector > 0
    if side.mean() > 0.5 or (side.mean() == 0.5 and side[0]):
        side = ~side
    return np.asarray(side.reshape(image.features.grid))


@pytest.mark.parametrize("number", range(COUNT))
def test_colour_links_on_real_photos(number: int) -> None:
    image = real_maps(centred=True)[number]
    ours = colour_links(image.pixels, image.features.grid)
    np.testing.assert_array_equal(ours, links(image.pixels, image.features.grid))


@pytest.mark.parametrize("number", range(COUNT))
@pytest.mark.parametrize(("centred", "colour"), [(True, 0.0), (True, 10.0), (False, 10.0)])
def test_on_real_maps(number: int, centred: bool, colour: float) -> None:
    image = real_maps(centred=centred)[number]
    found = DeepSpectral(colour=colour)(image).saliency > 0.5
    assert 0 < found.sum() <= found.size / 2
    assert mask_iou(found, reference(image, colour)) >= 0.99

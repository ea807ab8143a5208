import heapq
import math

import numpy as np
import pytest

from heap.features.colour_prior import BoundaryPrior, cell_colours, smoothed_prior


def disc(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc on flat grey, and where it is."""
    rows, cols = np.mgrid[:height, :width]
    inside = np.hypot(rows - height / 2, cols - width / 2) < min(height, width) / 4
    pixels = np.full((height, width, 3), 60, dtype=np.uint8)
    pixels[inside] = (250, 220, 40)
    return pixels, inside


def test_colours_of_cells_by_hand() -> None:
    pixels = np.array([[[255, 0, 0], [255, 0, 0], [0, 0, 0], [200, 200, 200]]], dtype=np.uint8)
    # JPEG's Y, Cb, Cr of red are 76, 85, 255, of grey 100 they are 100, 128, 128; Pillow rounds.
    expected = np.array([[[76, 85, 255], [100, 128, 128]]]) / 255 * [1, 1.5, 1.5]
    np.testing.assert_allclose(cell_colours(pixels, (1, 2)), expected, atol=1.5 / 255)


@pytest.mark.parametrize("grid", [(16, 16), (12, 20), (28, 28)])
def test_a_disc_stands_out(grid: tuple[int, int]) -> None:
    pixels, inside = disc(96, 160)
    saliency = BoundaryPrior()(pixels, grid)
    assert saliency.shape == grid
    assert saliency.min() == 0
    assert saliency.max() == pytest.approx(1)
    rows = (np.arange(grid[0]) * 96 / grid[0] + 48 / grid[0]).astype(int)
    cols = (np.arange(grid[1]) * 160 / grid[1] + 80 / grid[1]).astype(int)
    truth = inside[np.ix_(rows, cols)]
    found = saliency > 0.5
    assert (truth & found).sum() / (truth | found).sum() > 0.7


@pytest.mark.parametrize("grid", [(16, 16), (28, 28), (1, 40), (40, 1), (1, 1), (2, 3)])
@pytest.mark.parametrize("colour", [0, 128, 255])
def test_nothing_stands_out_of_a_uniform_image(grid: tuple[int, int], colour: int) -> None:
    saliency = BoundaryPrior()(np.full((50, 70, 3), colour, dtype=np.uint8), grid)
    assert saliency.shape == grid
    assert saliency.max() - saliency.min() < 0.05


def test_shading_is_not_an_edge() -> None:
    """A gradient whose steps are below the free one is as flat as a uniform image."""
    ramp = np.repeat(np.linspace(60, 90, 64)[None], 64, axis=0)
    saliency = BoundaryPrior(rarity_cost=0.0)(np.dstack([ramp] * 3).astype(np.uint8), (16, 16))
    assert saliency.max() < 0.05


def slow_prior(pixels: np.ndarray, grid: tuple[int, int], prior: BoundaryPrior) -> np.ndarray:
    """Dijkstra's algorithm on a heap, cell by cell, with every border cell as a start."""
    rows, cols = grid
    colour = cell_colours(pixels, grid)
    border = [(r, c) for r in range(rows) for c in range(cols)
              if r in (0, rows - 1) or c in (0, cols - 1)]  # fmt: skip
    share = {
        a: sum(
            math.exp(-((math.dist(colour[a], colour[b]) / prior.rarity_width) ** 2)) for b in border
        )
        for a in border
    }
    most = max(share.values())
    queue = [(prior.rarity_cost * (1 - share[cell] / most), cell) for cell in border]
    heapq.heapify(queue)
    reach: dict[tuple[int, int], float] = {}
    while queue:
        far, (r, c) = heapq.heappop(queue)
        if (r, c) in reach:
            continue
        reach[r, c] = far
        for near in ((r + dr, c + dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1)):
            if near not in reach and 0 <= near[0] < rows and 0 <= near[1] < cols:
                step = math.dist(colour[r, c], colour[near])
                heapq.heappush(queue, (far + max(step - prior.free_step, 0), near))
    saliency = np.zeros(grid)
    for (r, c), far in reach.items():
        down, right = -1 + 2 * r / (rows - 1), -1 + 2 * c / (cols - 1)
        off = (down**2 + right**2) / (2 * (2 * prior.centre_width) ** 2)
        saliency[r, c] = far * math.exp(-off)
    saliency -= saliency.min()
    return np.asarray(saliency / saliency.max())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grid", [(6, 9), (8, 8), (2, 5)])
def test_it_is_what_dijkstra_says(grid: tuple[int, int], seed: int) -> None:
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 256, (2 * grid[0], 2 * grid[1], 3), dtype=np.uint8)
    prior = BoundaryPrior(blur=0.0)
    np.testing.assert_allclose(prior(pixels, grid), slow_prior(pixels, grid, prior), atol=1e-5)


def test_the_smoothed_prior_is_a_vote_among_cells_that_are_alike_and_near() -> None:
    pixels, _ = disc(60, 90)
    colour = cell_colours(pixels, (28, 28)).reshape(-1, 3).astype(np.float64)
    prior = BoundaryPrior()(pixels, (28, 28)).ravel()
    likely = 1 / (1 + np.exp(-12 * (prior - 0.3)))
    place = np.array([(r / 28, c / 28) for r in range(28) for c in range(28)])
    expected = np.empty(28 * 28)
    for cell in range(28 * 28):
        alike = ((colour - colour[cell]) ** 2).sum(axis=1) / (2 * 0.05**2)
        near = ((place - place[cell]) ** 2).sum(axis=1) / (2 * 0.2**2)
        vote = np.average(likely, weights=np.exp(-alike - near))
        expected[cell] = 1 / (1 + np.exp(-12 * (vote - 0.5)))
    found = smoothed_prior(pixels, (28, 28))
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-4)


@pytest.mark.parametrize("grid", [(28, 28), (11, 40), (1, 1)])
def test_the_smoothed_prior_on_any_grid(grid: tuple[int, int]) -> None:
    pixels, _ = disc(96, 160)
    found = smoothed_prior(pixels, grid)
    assert found.shape == grid
    assert 0 <= found.min() <= found.max() <= 1
    assert smoothed_prior(np.full_like(pixels, 90), grid).max() < 0.05

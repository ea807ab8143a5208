"""The bilateral solver against dense matrices over a dictionary of vertices, pixel by pixel."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from heap.masks.bilateral_solver import Bilateral, BilateralGrid

Array = NDArray[np.float64]
LAMBDA, CONFIDENCE = 256, 0.999
STEPS = [tuple(sign * (axis == d) for d in range(5)) for axis in range(5) for sign in (-1, 1)]


def cell(pixels: np.ndarray, row: int, col: int, sizes: tuple[int, int, int]) -> tuple[int, ...]:
    """The five coordinates of a pixel, in exact arithmetic."""
    red, green, blue = map(int, pixels[row, col])
    space, luma, chroma = sizes
    y = Fraction("0.299") * red + Fraction("0.587") * green + Fraction("0.114") * blue
    u = -Fraction("0.168736") * red - Fraction("0.331264") * green + Fraction("0.5") * blue + 128
    v = Fraction("0.5") * red - Fraction("0.418688") * green - Fraction("0.081312") * blue + 128
    return (col // space, row // space, floor(y / luma), floor(u / chroma), floor(v / chroma))


def system(
    pixels: np.ndarray, target: np.ndarray, sizes: tuple[int, int, int]
) -> tuple[Array, Array, Array, list[list[int]]]:
    """The matrix, the right-hand side, the start, and the vertex of each pixel."""
    number: dict[tuple[int, ...], int] = {}
    height, width = target.shape
    vertex = [
        [number.setdefault(cell(pixels, row, col, sizes), len(number)) for col in range(width)]
        for row in range(height)
    ]
    count = len(number)
    blur, counts, pull = np.zeros((count, count)), np.zeros(count), np.zeros(count)
    for where, index in number.items():
        blur[index, index] = 10
        for step in STEPS:
            other = number.get(tuple(a + b for a, b in zip(where, step, strict=True)))
            if other is not None:
                blur[index, other] = 1
    for row in range(height):
        for col in range(width):
            counts[vertex[row][col]] += 1
            pull[vertex[row][col]] += CONFIDENCE * target[row, col]
    n = np.ones(count)
    for _ in range(10):
        n = np.sqrt(n * counts / (blur @ n))
    smooth = np.diag(n * (blur @ n)) - np.diag(n) @ blur @ np.diag(n)
    weight = CONFIDENCE * counts
    return LAMBDA * smooth + np.diag(weight), pull, pull / weight, vertex


def conjugate_gradients(matrix: Array, right: Array, start: Array, steps: int) -> Array:
    """As in a textbook, with the diagonal as preconditioner."""
    x, r = start.copy(), right - matrix @ start
    z = r / np.diag(matrix)
    p = z.copy()
    for _ in range(steps):
        if np.linalg.norm(r) <= 1e-5 * np.linalg.norm(right):
            break
        a = (r @ z) / (p @ matrix @ p)
        x = x + a * p
        after = r - a * matrix @ p
        z_after = after / np.diag(matrix)
        p = z_after + (after @ z_after) / (r @ z) * p
        r, z = after, z_after
    return x


def example(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A small picture of colours that drift, and a blurred mask."""
    draw = np.random.default_rng(seed)
    height, width = draw.integers(3, 40, size=2)
    noise = draw.normal(size=(height, width, 3))
    drift = gaussian_filter(noise, (3, 3, 0)) / gaussian_filter(noise, (3, 3, 0)).std()
    pixels = (128 + 45 * drift + 10 * noise).clip(0, 255).astype(np.uint8)
    mask = gaussian_filter(draw.normal(size=(height, width)), 4) > 0
    return pixels, gaussian_filter(mask.astype(np.float32), 1).clip(0, 1)


SIZES = [(16, 16, 8), (5, 32, 24), (3, 8, 4)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("seed", range(6))
def test_the_exact_solution(seed: int, sizes: tuple[int, int, int]) -> None:
    pixels, target = example(seed)
    matrix, right, _, vertex = system(pixels, target, sizes)
    expected = np.linalg.solve(matrix, right)[np.array(vertex)]
    exactly = Bilateral(*sizes, tolerance=1e-12, iterations=10_000)
    solved = BilateralGrid.of(pixels, exactly).solve(target)
    np.testing.assert_allclose(solved, expected, atol=2e-6)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("seed", range(6))
def test_what_25_iterations_give(seed: int, sizes: tuple[int, int, int]) -> None:
    pixels, target = example(seed)
    matrix, right, start, vertex = system(pixels, target, sizes)
    expected = conjugate_gradients(matrix, right, start, 25).clip(0, 1)[np.array(vertex)]
    solved = BilateralGrid.of(pixels, Bilateral(*sizes)).solve(target)
    np.testing.assert_allclose(solved, expected, atol=2e-6)

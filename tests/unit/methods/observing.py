"""Images as methods see them, made by hand."""

import numpy as np
import torch
from torch import Tensor

from heap.features.describe import PatchFeatures
from heap.methods.finding import Observed


def drawn(*rows: str) -> np.ndarray:
    """A mask, or with more than two signs the number of each sign: `.` is 0, `#` is 1, `o` is 2."""
    numbers = np.array([[".#o".index(cell) for cell in row] for row in rows])
    return numbers if (numbers == 2).any() else numbers.astype(bool)


def one_hot(layout: np.ndarray) -> Tensor:
    """Features of the cells of a layout: the same for the same number, else orthogonal."""
    return torch.eye(3)[torch.from_numpy(layout).long().flatten()]


def observed(patches: Tensor, grid: tuple[int, int], pixels: np.ndarray | None = None) -> Observed:
    """An image with these features; grey all over if nothing else is said."""
    if pixels is None:
        pixels = np.full((grid[0] * 4, grid[1] * 4, 3), 128, dtype=np.uint8)
    attention = torch.full((1, len(patches)), 1 / len(patches))
    return Observed(PatchFeatures(patches, attention, None, grid), pixels)

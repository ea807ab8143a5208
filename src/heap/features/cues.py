"""Hand-made channels that can be joined to the features of a weak encoder.

They are no part of HEAP. A small encoder pretrained for an hour knows less about colour than its
input does; the cues give that back. A strong encoder needs none.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, UInt8

from heap.config import Cue
from heap.features.colour_prior import BoundaryPrior, cell_colours

Grid = tuple[int, int]
CUE_WIDTHS: dict[Cue, int] = {"colour": 6, "boundary": 1, "position": 3}
"""Channels of each cue."""


def compute_cues(
    names: tuple[Cue, ...], pixels: UInt8[np.ndarray, "height width 3"], grid: Grid
) -> Float32[np.ndarray, "patch channel"]:
    """Compute the named cues of each cell of a `grid` (rows, columns), roughly within [-1, 1]."""
    planes = [_CUES[name](pixels, grid) for name in names]
    joined: np.ndarray = np.concatenate(planes, axis=-1)
    return joined.reshape(grid[0] * grid[1], -1).astype(np.float32)


def _colour(
    pixels: UInt8[np.ndarray, "height width 3"], grid: Grid
) -> Float32[np.ndarray, "grid_h grid_w 6"]:
    """Mean and standard deviation of the colour of a cell, from a 4 times finer grid."""
    rows, cols = grid
    fine = cell_colours(pixels, (4 * rows, 4 * cols)).reshape(rows, 4, cols, 4, 3)
    # Colours are in [0, 1] and centred to [-1, 1]; deviations inside a cell are small, hence the 4.
    return np.concatenate([2 * fine.mean(axis=(1, 3)) - 1, 4 * fine.std(axis=(1, 3))], axis=-1)


def _boundary(
    pixels: UInt8[np.ndarray, "height width 3"], grid: Grid
) -> Float32[np.ndarray, "grid_h grid_w 1"]:
    return 2 * BoundaryPrior()(pixels, grid)[..., None] - 1  # from [0, 1] to [-1, 1]


def _position(
    pixels: UInt8[np.ndarray, "height width 3"], grid: Grid
) -> Float32[np.ndarray, "grid_h grid_w 3"]:
    """Row, column, and distance from the centre."""
    rows, cols = np.meshgrid(
        np.linspace(-1, 1, grid[0]), np.linspace(-1, 1, grid[1]), indexing="ij"
    )
    # The distance is between 0 and 1.41, and about 0.75 on average: centred like the others.
    return np.stack([rows, cols, np.hypot(rows, cols) - 0.75], axis=-1).astype(np.float32)


_CUES: dict[Cue, Callable[[UInt8[np.ndarray, "height width 3"], Grid], np.ndarray]] = {
    "colour": _colour,
    "boundary": _boundary,
    "position": _position,
}

"""Saliency prior from colour alone: an object is what cannot be reached from the image border.

The idea is that of the classical boundary-connectivity methods (wCtr, geodesic saliency): a photo's
border is mostly background, so a cell that can be reached from it over small colour steps is
background too. There is no network in it; it is a baseline, an orientation prior for weak encoders,
and one of the hand-made cues that can be joined to their keys.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial.distance import cdist
from scipy.special import expit

from heap.masks.guided_filter import resize

CHROMA_WEIGHT = 1.5
"""Weight of a step in chroma against the same step in luma."""


LIKELY_THRESHOLD = 0.3
"""Value of the prior above which a cell is rather foreground."""
LIKELY_SLOPE = 12.0
"""Slope of the sigmoid that makes a probability of the prior: 0.77 at 0.1 above the threshold."""
SMOOTHING_GRID = (28, 28)
"""Rows and columns of cells on which `smoothed_prior` works, for its cost is quadratic in them."""
COLOUR_WIDTH = 0.05
"""Standard deviation of the likeness of cells in colour, in `smoothed_prior`; colours are in
[0, 1]."""
PLACE_WIDTH = 0.2
"""Standard deviation of the nearness of cells, as a fraction of the sides."""


@dataclass(frozen=True)
class BoundaryPrior:
    """Settings of the prior; colours are in [0, 1]."""

    free_step: float = 0.008
    """Colour steps up to this size cost nothing: shading, not an edge."""
    rarity_cost: float = 0.25
    """Start cost of a border cell whose colour nothing else on the border shares: it may be part of
    an object that is cut off by the border."""
    rarity_width: float = 0.34
    """Colour distance within which two border cells count as alike."""
    centre_width: float = 0.37
    """Standard deviation of the centre weight, as a fraction of each side."""
    blur: float = 0.75
    """Standard deviation of the final smoothing, in cells."""

    def __call__(
        self, pixels: UInt8[np.ndarray, "height width 3"], grid: tuple[int, int]
    ) -> Float[np.ndarray, "grid_h grid_w"]:
        """Saliency in [0, 1] of each cell of a `grid` of (rows, columns) over the image."""
        colour = cell_colours(pixels, grid)
        distance = self._distance_to_border(colour)
        rows, cols = np.ogrid[-1 : 1 : grid[0] * 1j, -1 : 1 : grid[1] * 1j]
        # Photographers put objects into the middle. Sides are 2 long here, hence the factor 2.
        centre = np.exp(-(rows**2 + cols**2) / (2 * (2 * self.centre_width) ** 2))
        saliency = gaussian_filter(distance * centre, self.blur)
        saliency -= saliency.min()
        # To the full range; the floor is for images of one colour, which stay at 0.
        return (saliency / max(float(saliency.max()), 1e-6)).astype(np.float32)

    def _distance_to_border(
        self, colour: Float[np.ndarray, "grid_h grid_w 3"]
    ) -> Float[np.ndarray, "grid_h grid_w"]:
        """Cost of the cheapest path of colour steps from the border to each cell."""
        height, width, _ = colour.shape
        cells = np.arange(height * width).reshape(height, width)
        border = np.unique(np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]]))
        flat = colour.reshape(-1, 3)
        difference = np.linalg.norm(flat[border, None] - flat[None, border], axis=-1)
        # Soft share of the border that has the colour of a border cell.
        share = np.exp(-((difference / self.rarity_width) ** 2)).mean(axis=1)
        start = self.rarity_cost * (1 - share / share.max())
        # Each pair of the eight neighbours of a cell once: right, down and both diagonals down.
        ends = [_pairs(cells, *offset) for offset in ((0, 1), (1, 0), (1, 1), (1, -1))]
        here, there = (np.concatenate(side) for side in zip(*ends, strict=True))
        step = np.linalg.norm(flat[here] - flat[there], axis=-1)
        cost = np.maximum(step - self.free_step, 0)
        # One more node, from which paths start: it is linked to the border by the start costs.
        source = np.full(border.shape, height * width)
        # SciPy reads an explicit zero as "no edge", so free steps get a cost that is too small to
        # make a pattern in an image without any.
        weights = np.concatenate([cost, start]) + 1e-9
        graph = csr_array(
            (weights, (np.concatenate([here, source]), np.concatenate([there, border]))),
            shape=(height * width + 1,) * 2,
        )
        reach = dijkstra(graph, directed=False, indices=height * width)
        return np.asarray(reach[:-1]).reshape(height, width)


def smoothed_prior(
    pixels: UInt8[np.ndarray, "height width 3"], grid: tuple[int, int]
) -> Float[np.ndarray, "grid_h grid_w"]:
    """Foreground probability of each cell: the prior, averaged over cells that look alike.

    A cell takes the mean over all cells, weighted by likeness in colour and nearness (a bilateral
    filter over the whole image). This is quadratic in cells, so it is done on a grid of
    `SMOOTHING_GRID` and interpolated; it serves as a training target, not at inference.
    """
    prior = BoundaryPrior()(pixels, SMOOTHING_GRID).ravel()
    likely = expit(LIKELY_SLOPE * (prior - LIKELY_THRESHOLD))
    colour = cell_colours(pixels, SMOOTHING_GRID).reshape(-1, 3)
    rows, cols = np.indices(SMOOTHING_GRID).reshape(2, -1)
    place = np.stack([rows / SMOOTHING_GRID[0], cols / SMOOTHING_GRID[1]], axis=1)
    # In units of the two widths, so that one Gaussian of width 1 weighs colour and place.
    space = np.concatenate([colour / COLOUR_WIDTH, place / PLACE_WIDTH], axis=1)
    weight = np.exp(-cdist(space, space, "sqeuclidean") / 2)
    # A mean pulls probabilities to the middle; the same sigmoid makes them sure again.
    smooth = expit(LIKELY_SLOPE * (weight @ likely / weight.sum(axis=1) - 0.5))
    return resize(smooth.reshape(SMOOTHING_GRID).astype(np.float32), grid)


def cell_colours(
    pixels: UInt8[np.ndarray, "height width 3"], grid: tuple[int, int]
) -> Float[np.ndarray, "grid_h grid_w 3"]:
    """Mean YCbCr colour of each cell, in [0, 1], chroma weighted by `CHROMA_WEIGHT`."""
    small = Image.fromarray(pixels).resize((grid[1], grid[0]), Image.Resampling.BOX)
    colour = np.asarray(small.convert("YCbCr"), dtype=np.float32) / 255
    return colour * np.array([1, CHROMA_WEIGHT, CHROMA_WEIGHT], dtype=np.float32)


def _pairs(cells: np.ndarray, down: int, right: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of every cell and of its neighbour `down` rows and `right` columns away."""
    height, width = cells.shape
    here = cells[: height - down, max(-right, 0) : width - max(right, 0)]
    there = cells[down:, max(right, 0) : width + min(right, 0)]
    return here.ravel(), there.ravel()

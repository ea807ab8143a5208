"""Deep Spectral Methods (Melas-Kyriazi et al., CVPR 2022): the first eigenvector splits an image.

Written from the description of the method: its single object, from one eigenvector. Left out are
the refinement of the mask by a conditional random field, and the clustering of segments of several
eigenvectors into classes.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64, UInt8
from PIL import Image
from pydantic.dataclasses import dataclass
from scipy.spatial import KDTree
from torch import Tensor

from heap.config import CHECKED, Weight
from heap.methods.finding import Finding, Observed
from heap.methods.graph import ROUNDING, checked_vectors, cosines, cut_vector, is_uniform

NEIGHBOURS = ((20, 2.0), (10, 0.1))
"""Links of KNN matting, as in the published code: number of cells that a cell is linked to, itself
among them, and the weight of a step across the image against one through the whole range of a
colour channel. The first keeps links near, the second links like colours anywhere."""


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class DeepSpectral:
    """Deep Spectral Methods, without their random field."""

    colour: Weight = 10.0
    """Weight of the links by colour; a cosine has weight 1."""

    def __call__(self, image: Observed) -> Finding:
        """Objects of one image: the 4-connected parts of the foreground; none where all is alike.

        Raises:
            ValueError: if a feature is not finite.
        """
        features = image.features
        return Finding.of_mask(
            deep_spectral(features.patches, features.grid, image.pixels, self.colour)
        )


def deep_spectral(
    patches: Float[Tensor, "patch dim"],
    grid: tuple[int, int],
    pixels: UInt8[np.ndarray, "height width 3"],
    colour: float = 10.0,
) -> Bool[np.ndarray, "grid_h grid_w"]:
    """Foreground of an image, from features row-major over the `grid`, and from its colours.

    An edge weighs the cosine of its two patches, where that is positive, and `colour` times the
    links of `colour_links`. The foreground is the smaller one of the sides on which the second
    smallest eigenvector is positive and negative; of equal sides, the one that starts later.
    Empty where all patches are alike by their features, all are unlike, or there is only one.

    Raises:
        ValueError: if a feature is not finite, or the patches do not fill the grid.
    """
    # Negative cosines are no links: a graph Laplacian needs weights of at least 0.
    graph = np.maximum(cosines(checked_vectors(patches, grid)), 0)
    if is_uniform(graph):
        return np.zeros(grid, dtype=bool)
    if colour:
        graph += colour * colour_links(pixels, grid)
    vector = cut_vector(graph)
    # The sign of an eigenvector is arbitrary, so the smaller side is taken for the object.
    sides = vector > 0, vector < 0
    smaller = min(sides, key=lambda side: (int(side.sum()), -int(side.argmax())))
    return smaller.reshape(grid)


def colour_links(
    pixels: UInt8[np.ndarray, "height width 3"], grid: tuple[int, int]
) -> Float64[np.ndarray, "cell cell"]:
    """Links between cells of the `grid` by colour and place, from 0 to 4; symmetric.

    For each of the two `NEIGHBOURS`, a link counts from both of its ends. Cells as near as the last
    of the nearest are linked too, so that no order decides. A cell is linked to itself.
    """
    small = Image.fromarray(pixels).resize((grid[1], grid[0]), Image.Resampling.BILINEAR)
    colours = np.asarray(small, dtype=np.float64).reshape(-1, 3) / 255
    # Places in [0, 1] too, so that `weight` compares them with colours whatever the grid.
    rows, cols = np.meshgrid(*(np.linspace(0, 1, side) for side in grid), indexing="ij")
    place = np.stack([rows.ravel(), cols.ravel()], axis=1)
    links = np.zeros((len(place), len(place)))
    for count, weight in NEIGHBOURS:
        space = np.concatenate([colours, weight * place], axis=1)
        tree = KDTree(space)
        # The distance of the last neighbour, and then all cells within it, for ties.
        reach = np.ravel(tree.query(space, k=[min(count, len(space))])[0])
        near = tree.query_ball_point(space, reach * (1 + ROUNDING))
        here = np.repeat(np.arange(len(space)), [len(neighbours) for neighbours in near])
        there = np.concatenate(near).astype(np.int64)
        links[here, there] += 1
        links[there, here] += 1
    return links

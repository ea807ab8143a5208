"""TokenCut (Wang et al., CVPR 2022): cuts the graph of the patches of one image in two.

Written from the description of the method. It learns nothing, so what it finds is a measure of the
features alone. Its bilateral solver is left out.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor

from heap.peers.graph import affinity, cut_vector, part_of

TIE = 1e-6
"""Relative difference up to which patches count as equally far from the cut."""


@dataclass(frozen=True)
class Cut:
    """The two sides of an image."""

    partition: Bool[np.ndarray, "grid_h grid_w"]
    """True on the foreground, the side of the seed. Empty where there is nothing to cut."""
    eigenvector: Float32[np.ndarray, "grid_h grid_w"]
    """Positive at the seed, and the foreground is what is above its mean."""
    seed: tuple[int, int]
    """Row and column of the patch where the eigenvector is largest in magnitude."""

    @property
    def part(self) -> Bool[np.ndarray, "grid_h grid_w"]:
        """The object: the 4-connected part of the foreground that holds the seed."""
        return part_of(self.partition, self.seed)


def tokencut(
    patches: Float[Tensor, "patch dim"], grid: tuple[int, int], threshold: float = 0.2
) -> Cut:
    """Cut an image in two by the features of its patches, row-major over the `grid`.

    Patches are linked where their cosine is above `threshold`. If all pairs of them are linked, or
    none is, or there is one patch only, no cut is better than another: the partition is empty, the
    eigenvector zero and the seed (0, 0).

    Raises:
        ValueError: if a feature is not finite, or the patches do not fill the grid.
    """
    if not len(patches) == grid[0] * grid[1] > 0:
        raise ValueError(f"{len(patches)} patches do not fill a grid of {grid[0]}x{grid[1]}")
    graph = affinity(patches, threshold)
    if _is_uniform(graph):
        return Cut(np.zeros(grid, dtype=bool), np.zeros(grid, dtype=np.float32), (0, 0))
    vector = cut_vector(graph)
    distance = np.abs(vector)
    # Patches with the same links are equal but for rounding: the first one of them is the seed.
    seed = int(np.argmax(distance >= (1 - TIE) * distance.max()))
    vector *= np.sign(vector[seed])
    return Cut(
        (vector > vector.mean()).reshape(grid),
        vector.reshape(grid).astype(np.float32),
        (seed // grid[1], seed % grid[1]),
    )


def _is_uniform(graph: Float64[np.ndarray, "patch patch"]) -> bool:
    """Whether all edges between two different patches weigh the same."""
    edges = graph[~np.eye(len(graph), dtype=bool)]
    return bool((edges == edges[:1]).all())

"""TokenCut (Wang et al., CVPR 2022): cuts the graph of the patches of one image in two.

Written from the description of the method. It learns nothing, so its results measure the features
alone. Its bilateral solver is left out.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64
from pydantic.dataclasses import dataclass as settings
from torch import Tensor

from heap.config import CHECKED, Cosine
from heap.methods.finding import Finding, Observed
from heap.methods.graph import (
    affinity,
    checked_vectors,
    connected_part,
    cut_vector,
    first_largest,
    is_uniform,
)


@dataclass(frozen=True)
class Cut:
    """Two sides of an image, and the eigenvector that they were cut by."""

    partition: Bool[np.ndarray, "grid_h grid_w"]
    """True on the foreground, the side of the seed. Empty where there is nothing to cut."""
    eigenvector: Float32[np.ndarray, "grid_h grid_w"]
    """Second smallest eigenvector, positive at the seed; foreground is above its mean."""
    seed: tuple[int, int]
    """Row and column of the patch where the eigenvector is largest in magnitude."""

    @property
    def part(self) -> Bool[np.ndarray, "grid_h grid_w"]:
        """Object: the 4-connected part of the foreground that holds the seed."""
        return connected_part(self.partition, self.seed)


@settings(frozen=True, kw_only=True, config=CHECKED)
class TokenCut:
    """TokenCut without its bilateral solver."""

    threshold: Cosine = 0.2
    """Patches are linked where their cosine is above this."""
    whole: bool = False
    """Keep all of the side that the seed is on. TokenCut keeps the part of the seed alone, which is
    a single patch with an encoder that has patches like no other."""

    def __call__(self, image: Observed) -> Finding:
        """Finding with one object, or several for a `whole` side; none where no cut is the best.

        Raises:
            ValueError: if a feature is not finite.
        """
        features = image.features
        cut = tokencut(features.patches, features.grid, self.threshold)
        return Finding.of_mask(cut.partition if self.whole else cut.part)


def tokencut(
    patches: Float[Tensor, "patch dim"], grid: tuple[int, int], threshold: float = 0.2
) -> Cut:
    """Cut an image in two by the features of its patches, row-major over the `grid`.

    Patches are linked where their cosine is above `threshold`; see `cut_in_two`.

    Raises:
        ValueError: if a feature is not finite, or the patches do not fill the grid.
    """
    return cut_in_two(affinity(checked_vectors(patches, grid), threshold), grid)


def cut_in_two(graph: Float64[np.ndarray, "patch patch"], grid: tuple[int, int]) -> Cut:
    """Cut a graph whose nodes are the cells of the `grid`, row-major.

    If all edges weigh the same, or there is one patch only, no cut is better than another: the
    partition is empty, the eigenvector zero and the seed (0, 0).
    """
    if is_uniform(graph):
        return Cut(np.zeros(grid, dtype=bool), np.zeros(grid, dtype=np.float32), (0, 0))
    vector = cut_vector(graph)
    # Patches with the same links are equal but for rounding: the first of them is the seed.
    seed = first_largest(np.abs(vector))
    # The sign of an eigenvector is arbitrary; TokenCut takes the side of its largest magnitude for
    # the foreground.
    vector *= np.sign(vector[seed])
    return Cut(
        (vector > vector.mean()).reshape(grid),
        vector.reshape(grid).astype(np.float32),
        divmod(seed, grid[1]),
    )

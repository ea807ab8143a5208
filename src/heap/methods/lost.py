"""LOST (Siméoni et al., BMVC 2021): an object grows from the patch that is least like the others.

Written from descriptions of the method and of its published code. They differ in that the code adds
up correlations where the paper counts patches; here it is as in the code. Left out is what LOST
learns from its own boxes afterwards: a detector, and classes of objects.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64
from pydantic.dataclasses import dataclass as settings
from torch import Tensor

from heap.config import CHECKED, Cosine, Count
from heap.methods.finding import Finding, Observed
from heap.methods.graph import checked_vectors, connected_part


@settings(frozen=True, kw_only=True, config=CHECKED)
class Lost:
    """LOST without the training that follows it."""

    patches: Count = 100
    """Patches of lowest degree that may join the seed, LOST's k; all if there are fewer."""
    threshold: Cosine = 0.0
    """Patches are positively correlated where their cosine is above this; LOST's is 0."""
    whole: bool = False
    """Keep all patches that are like the seed and those that joined it. LOST keeps the part of the
    seed alone, which is a single patch with an encoder that has patches like no other."""

    def __call__(self, image: Observed) -> Finding:
        """Finding with one object, or several where all are kept; none where the seed is zero.

        Raises:
            ValueError: if a feature is not finite.
        """
        features = image.features
        grown = lost(features.patches, features.grid, self.patches, self.threshold)
        return Finding.of_mask(grown.foreground if self.whole else grown.part)


@dataclass(frozen=True)
class GrownObject:
    """Seed of an image and the foreground that is like it."""

    foreground: Bool[np.ndarray, "grid_h grid_w"]
    """Patches that are like the seed and those that joined it."""
    seed: tuple[int, int]
    """Row and column of the patch that is positively correlated with the fewest others."""

    @property
    def part(self) -> Bool[np.ndarray, "grid_h grid_w"]:
        """Object: the 4-connected part of the foreground that holds the seed."""
        return connected_part(self.foreground, self.seed)


def lost(
    patches: Float[Tensor, "patch dim"],
    grid: tuple[int, int],
    count: int = 100,
    threshold: float = 0.0,
) -> GrownObject:
    """Grow the object of an image, from features row-major over the `grid`.

    The correlation of two patches is x_p · x_q - `threshold` |x_p| |x_q|, where LOST has
    x_p · x_q; the degree of a patch is the number of others with a positive one. The seed is the
    patch of lowest degree, and it is joined by those of the `count` patches of lowest degree that
    it is positively correlated with. The foreground are the patches whose correlations with all of
    these add up to more than zero. Of equal degrees the first in reading order is the lowest.

    Raises:
        ValueError: if a feature is not finite, or the patches do not fill the grid.
    """
    graph = _correlations(checked_vectors(patches, grid), threshold)
    positive = graph > 0
    # A patch is no neighbour of itself.
    degree = positive.sum(axis=1) - positive.diagonal()
    # Objects are mostly smaller than the background, so their patches are like fewer others.
    lowest = np.argsort(degree, kind="stable")[:count]
    seed = int(lowest[0])
    joined = lowest[positive[seed, lowest]]
    alike = (graph[joined].sum(axis=0) > 0).reshape(grid)
    return GrownObject(alike, divmod(seed, grid[1]))


def _correlations(
    features: Float64[np.ndarray, "patch dim"], threshold: float
) -> Float64[np.ndarray, "patch patch"]:
    products: np.ndarray = features @ features.T
    if threshold == 0:  # LOST's own; nothing to subtract
        return products
    length = np.linalg.norm(features, axis=1)
    return products - threshold * np.outer(length, length)

"""MaskCut (CutLER; Wang et al., CVPR 2023): cut an image, take out what was found, cut again.

Written from the description of the method. Left out are its conditional random field, with the
test of each mask against what the field makes of it, and the detector that CutLER trains.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64
from pydantic.dataclasses import dataclass
from scipy.linalg import eigh
from torch import Tensor

from heap.config import CHECKED, Cosine, Count
from heap.methods.finding import Finding, GridObject, Observed
from heap.methods.graph import WEAK, affinity, checked_vectors, connected_part, first_largest
from heap.methods.tokencut import Cut, cut_in_two
from heap.model.objects import largest_piece

SMALLEST = 0.01
"""Share of the image up to which a further part is no object, as in CutLER's code."""
SAME = 0.5
"""IoU with the part before, above which a further part is no object, as in CutLER's code."""
CORNERS = 3
"""Corners of the image from which on a side is background."""


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class MaskCut:
    """MaskCut without its random field."""

    threshold: Cosine = 0.15
    """Patches are linked where their cosine is above this."""
    objects: Count = 3
    """Rounds, and so the largest number of objects."""
    oriented: bool = False
    """Leave the side of the seed for the other one whenever it has three corners of the image.
    CutLER looks at the corners of the side where its eigenvector is positive. The sign is up to
    LAPACK, which makes the other side positive in nearly all images, so that no side is left."""
    largest: bool = False
    """Take the largest part of the side of the seed, whatever is at the corners. MaskCut takes the
    part of the seed, which misleads with an encoder that has patches like no other."""

    def __call__(self, image: Observed) -> Finding:
        """Finding with objects in the order of the rounds; the saliency is all of them.

        CutLER gives no scores: those here are the order, 1, 2/3 and 1/3 for three objects.

        Raises:
            ValueError: if a feature is not finite.
        """
        features = image.features
        masks = maskcut(
            features.patches,
            features.grid,
            self.threshold,
            self.objects,
            oriented=self.oriented,
            largest=self.largest,
        )
        saliency = np.zeros(features.grid, dtype=np.float32)
        for cells in masks:
            saliency[cells] = 1
        objects = (GridObject(cells, 1 - rank / self.objects) for rank, cells in enumerate(masks))
        return Finding(saliency, tuple(objects))


def maskcut(
    patches: Float[Tensor, "patch dim"],
    grid: tuple[int, int],
    threshold: float = 0.15,
    count: int = 3,
    *,
    oriented: bool = False,
    largest: bool = False,
) -> list[Bool[np.ndarray, "grid_h grid_w"]]:
    """Disjoint objects, at most `count`, from features row-major over the `grid`.

    Every round cuts the graph as TokenCut does, and takes the part of the seed, or the `largest`
    part. Patches of earlier objects are still in the graph, but have lost their links. There are
    `count` rounds; a round whose part is like that of the round before, or tiny, gives no object.
    The next round gets the same part of the same graph, but has none before it to be compared with:
    what is new in it is an object then, as in CutLER's code. For `oriented` see `MaskCut`.

    Raises:
        ValueError: if a feature is not finite, or the patches do not fill the grid.
    """
    graph = affinity(checked_vectors(patches, grid), threshold)
    nothing = np.zeros(grid, dtype=bool)
    objects: list[np.ndarray] = []
    before, taken, part = nothing, nothing, None
    for number in range(count):
        if part is None:  # the graph has changed; the same one would be cut in the same way
            cut = cut_in_two(graph, grid)
            part = (
                largest_piece(cut.partition)
                if largest
                else _seed_part(cut, graph, oriented=oriented)
            )
        if number > 0 and (_alike(part, before) or part.mean() <= SMALLEST):
            before = nothing
            continue
        before, fresh = part, part & ~taken
        if fresh.any():
            objects.append(fresh)
            taken, part = taken | part, None
            # Links of both directions, so that the graph stays symmetric.
            graph[taken.ravel()] = WEAK
            graph[:, taken.ravel()] = WEAK
    return objects


def _alike(
    part: Bool[np.ndarray, "grid_h grid_w"], before: Bool[np.ndarray, "grid_h grid_w"]
) -> bool:
    # IoU > SAME without its division, for both may be empty.
    return int((part & before).sum()) > SAME * int((part | before).sum())


def _seed_part(
    cut: Cut, graph: Float64[np.ndarray, "patch patch"], *, oriented: bool
) -> Bool[np.ndarray, "grid_h grid_w"]:
    """Part of the seed; on the other side, with a seed of its own, if this one is background."""
    # The four corners of the image.
    if cut.partition[[0, 0, -1, -1], [0, -1, 0, -1]].sum() < CORNERS:
        return cut.part
    if not (oriented or _is_positive_at(graph, cut.seed[0] * cut.partition.shape[1] + cut.seed[1])):
        return cut.part
    other = ~cut.partition
    # The eigenvector is positive at the first seed, so the other side's seed is its minimum.
    seed = first_largest(-cut.eigenvector.ravel())
    return connected_part(other, divmod(seed, other.shape[1]))


def _is_positive_at(graph: Float64[np.ndarray, "patch patch"], seed: int) -> bool:
    """Whether LAPACK makes the eigenvector of a cut positive at the seed, called as in CutLER."""
    degrees = np.diag(graph.sum(axis=1))
    # The same solver, matrices and indices: another call could give the other sign.
    vector = eigh(degrees - graph, degrees, subset_by_index=[1, 2])[1][:, 0]
    return bool(vector[seed] > 0)

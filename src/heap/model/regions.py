"""Regions of an image: patches merged by their features and by how far they are foreground.

Patch → region → image: the head says of each patch how far it is foreground. Patches are then
merged into ever larger regions, always the two whose union varies least (Ward), and the foreground
counts as one more channel of their features. So a region hardly ever lies across the outline of an
object, which regions by features alone often do. Hierarchy and further channel are our choice.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Float64, Int64
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from heap.base.timing import timed
from heap.results import Regions

_SAMPLE = 4096
"""Patches that the hierarchy is made of, at most, for its cost is quadratic; the others join the
region whose mean is nearest. A grid of 64 x 64 patches is still taken whole."""
_ROWS = 128
"""Patches whose products with the others are computed at a time."""


def merge_patches(
    patches: Float[Tensor, "patch dim"], saliency: Float[Tensor, " patch"], max_regions: int
) -> Int64[np.ndarray, " patch"]:
    """Region of each patch, numbered from 0 in the order of their first patches.

    Features count by their direction, saliency as it is, in [0, 1]: two opposite directions are
    twice as far from each other as sure foreground is from sure background. One hierarchy is cut
    for every `max_regions`, so the regions of a smaller number are unions of those of a larger one.
    """
    # Saliency is one more channel. In double precision: merges hang on small differences.
    points = torch.cat([F.normalize(patches, dim=-1), saliency[:, None]], dim=1).double()
    step = -(-len(points) // _SAMPLE)  # rounded up
    sample = points[::step]
    if len(sample) < 2:
        return np.zeros(len(points), dtype=np.int64)
    merges = linkage(_distances(sample), "ward")
    labels = fcluster(merges, max_regions, "maxclust").astype(np.int64)
    if step > 1:
        labels = _assign_nearest(points, sample, torch.from_numpy(labels))
    return _renumber(labels)


@timed("regions")
def make_regions(
    patches: Float32[Tensor, "patch dim"],
    saliency: Float32[Tensor, " patch"],
    grid: tuple[int, int],
    max_regions: int,
) -> Regions:
    """Regions of one image with their mean features, mean saliency and shares of the image."""
    labels = merge_patches(patches, saliency, max_regions)
    member = F.one_hot(torch.from_numpy(labels)).to(patches)  # (patch, region), 1 where it belongs
    sizes = member.sum(dim=0)
    return Regions(
        labels.reshape(grid),
        (member.mT @ patches / sizes[:, None]).numpy(),
        (saliency @ member / sizes).numpy(),
        (sizes / len(labels)).numpy(),
    )


def _distances(points: Float64[Tensor, "point channel"]) -> Float64[np.ndarray, " pair"]:
    """Euclidean distance of each pair, in the order of `scipy.spatial.distance.pdist`.

    By |a - b|² = |a|² + |b|² - 2 a·b: of so many channels `pdist` takes longer than the hierarchy.
    """
    # In torch, which computes everything before and after: the threads of SciPy's BLAS would go on
    # waiting for more work on the same cores, and an image took half as long again.
    squared = points.new_empty(len(points), len(points))
    for start in range(0, len(points), _ROWS):
        rows = slice(start, start + _ROWS)
        # Pairs are those above the diagonal, so products far below it are left out.
        squared[rows, start:] = -2 * points[rows] @ points[start:].mT
    norms = -0.5 * squared.diagonal()
    squared += norms
    squared += norms[:, None]
    pairs: np.ndarray = squareform(squared.numpy(), checks=False)
    # Rounding may bring the distance of equal points below zero.
    distances: np.ndarray = np.sqrt(np.maximum(pairs, 0, out=pairs), out=pairs)
    return distances


def _assign_nearest(
    points: Float[Tensor, "point channel"],
    sample: Float[Tensor, "sampled channel"],
    labels: Int64[Tensor, " sampled"],
) -> Int64[np.ndarray, " point"]:
    """Label of the sampled cluster whose mean is nearest to each point."""
    numbers = labels.unique()
    means = torch.stack([sample[labels == number].mean(dim=0) for number in numbers])
    nearest: np.ndarray = numbers[torch.cdist(points, means).argmin(dim=1)].numpy()
    return nearest


def _renumber(labels: Int64[np.ndarray, " patch"]) -> Int64[np.ndarray, " patch"]:
    """Number the labels from 0, in the order in which they first occur."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))  # the inverse permutation
    numbered: np.ndarray = order[inverse]
    return numbered

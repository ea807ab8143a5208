"""The graph of the patches of one image, for the methods that cut it: TokenCut and its kin."""

import numpy as np
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64
from scipy.linalg import eigh
from scipy.ndimage import label
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

WEAK = 1e-5
"""Weight of the edge of two patches that are not alike: it keeps the graph in one piece."""
RESTARTS = 30
"""Of Lanczos, after which the dense solver is the quicker one. Photos take one to three."""


def affinity(
    patches: Float[Tensor, "patch dim"], threshold: float
) -> Float64[np.ndarray, "patch patch"]:
    """Weight 1 where the cosine of two patches is above `threshold`, else `WEAK`; symmetric.

    The diagonal follows the same rule, so it is 1 but for patches of length zero.

    Raises:
        ValueError: if a feature is not finite.
    """
    if not patches.isfinite().all():
        raise ValueError(f"{int((~patches.isfinite()).any(dim=1).sum())} of {len(patches)} patches "
                         "have features that are not finite")  # fmt: skip
    directions = F.normalize(patches.detach().cpu().float(), dim=-1)
    alike = (directions @ directions.T).numpy() > threshold
    # A matrix product need not be symmetric in its last digit.
    return np.where(alike & alike.T, 1.0, WEAK)


def cut_vector(graph: Float64[np.ndarray, "patch patch"]) -> Float64[np.ndarray, " patch"]:
    """The second smallest eigenvector y of (D - E) y = λ D y, D the degrees of the graph E.

    It has unit length after multiplication by √D; its sign is arbitrary. At least two patches, and
    positive degrees.
    """
    degree = graph.sum(axis=1)
    scale = degree**-0.5
    # The smallest is known: y = 1, which is √D for the normalised graph. Sent to the other end of
    # the spectrum, where it is not in the way of the one that is asked for.
    known = np.sqrt(degree / degree.sum())

    def times(vector: Float64[np.ndarray, "*any"]) -> Float64[np.ndarray, " patch"]:
        flat = vector.ravel()
        product: np.ndarray = scale * (graph @ (scale * flat)) - 2 * known * (known @ flat)
        return product

    operator = LinearOperator(graph.shape, matvec=times, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(len(graph))
    try:
        found = eigsh(operator, k=1, which="LA", v0=start, maxiter=RESTARTS)[1]
    except ArpackNoConvergence:
        normalised = scale[:, None] * graph * scale
        found = eigh(normalised, subset_by_index=[len(graph) - 2] * 2)[1]
    return np.asarray(scale * found[:, 0], dtype=np.float64)


def part_of(
    mask: Bool[np.ndarray, "grid_h grid_w"], seed: tuple[int, int]
) -> Bool[np.ndarray, "grid_h grid_w"]:
    """The 4-connected part of `mask` that holds the cell `seed` (row, column), or nothing."""
    numbered, _ = label(mask)
    part: np.ndarray = mask & (numbered == numbered[seed])
    return part

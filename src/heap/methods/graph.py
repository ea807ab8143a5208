"""Graph of the patches of one image, for the methods that cut it: TokenCut and its kin."""

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.linalg import eigh
from scipy.ndimage import label
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

WEAK = 1e-5
"""Weight of the edge of two patches that are not alike, TokenCut's ε: it keeps the graph in one
piece, so that the second smallest eigenvector is the only one to cut by."""
TIE = 1e-6
"""Relative difference up to which two values count as equal: eigenvectors are no more exact."""
ROUNDING = 1e-9
"""Edges that differ by no more than this weigh the same."""
RESTARTS = 30
"""Restarts of Lanczos after which the dense solver is quicker. Photos take one to three."""


def checked_vectors(
    patches: Float[Tensor, "patch dim"], grid: tuple[int, int]
) -> Float64[np.ndarray, "patch dim"]:
    """Features of one image in double precision, so that no edge hangs on a rounding error.

    Raises:
        ValueError: if a feature is not finite, or the patches do not fill the grid.
    """
    if not len(patches) == grid[0] * grid[1] > 0:
        raise ValueError(f"{len(patches)} patches do not fill a grid of {grid[0]}x{grid[1]}")
    vectors: np.ndarray = patches.detach().cpu().double().numpy()
    faulty = int((~np.isfinite(vectors)).any(axis=1).sum())
    if faulty:
        raise ValueError(f"{faulty} of {len(vectors)} patches have features that are not finite")
    return vectors


def cosines(features: Float64[np.ndarray, "patch dim"]) -> Float64[np.ndarray, "patch patch"]:
    """Cosine of each pair of patches, symmetric; 0 for patches of length zero."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(length > 0, length, 1)
    # Exactly symmetric: NumPy computes one half of such a product, and mirrors it.
    products: np.ndarray = unit @ unit.T
    return products


def affinity(
    features: Float64[np.ndarray, "patch dim"], threshold: float
) -> Float64[np.ndarray, "patch patch"]:
    """Weight 1 where the cosine of two patches is above `threshold`, else `WEAK`; symmetric.

    The diagonal follows the same rule, so it is 1 but for patches of length zero.
    """
    return np.where(cosines(features) > threshold, 1.0, WEAK)


def is_uniform(graph: Float64[np.ndarray, "patch patch"]) -> bool:
    """Whether all edges between two different patches weigh the same: no cut is the best then."""
    count = len(graph)
    # Without its first element, the matrix has the diagonal at the end of rows of count + 1.
    edges = graph.ravel()[1:].reshape(count - 1, count + 1)[:, :-1]
    return edges.size == 0 or float(np.ptp(edges)) <= ROUNDING


def cut_vector(graph: Float64[np.ndarray, "patch patch"]) -> Float64[np.ndarray, " patch"]:
    """Second smallest eigenvector y of (D - E) y = λ D y, D the degrees of the graph E.

    It has unit length after multiplication by √D; its sign is arbitrary. At least two patches; one
    without edges gets exactly 0.
    """
    # With z = √D y the problem is symmetric: the smallest λ are the largest eigenvalues of the
    # normalised graph √D⁻¹ E √D⁻¹, which are in [-1, 1]. `scale` is √D⁻¹, 0 without edges.
    degree = graph.sum(axis=1)
    scale = np.divide(1, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
    # The largest is known, 1 with y = 1, so z = √D. Less 2, it is -1 and at the other end of the
    # spectrum, so that the one we ask for comes first.
    known = np.sqrt(degree / degree.sum())

    def times(vector: Float64[np.ndarray, "*any"]) -> Float64[np.ndarray, " patch"]:
        flat = vector.ravel()
        product: np.ndarray = scale * (graph @ (scale * flat)) - 2 * known * (known @ flat)
        return product

    operator = LinearOperator(graph.shape, matvec=times, dtype=np.float64)
    # A fixed start, for the same image must give the same vector to the last digit.
    start = np.random.default_rng(0).standard_normal(len(graph))
    try:
        vector = eigsh(operator, k=1, which="LA", v0=start, maxiter=RESTARTS)[1]
    except ArpackNoConvergence:
        normalised = scale[:, None] * graph * scale - 2 * np.outer(known, known)
        vector = eigh(normalised, subset_by_index=[len(graph) - 1] * 2)[1]
    return np.asarray(scale * vector[:, 0], dtype=np.float64)  # back from z to y


def first_largest(values: Float[np.ndarray, " patch"]) -> int:
    """Index of the largest value; of values that are equal but for rounding, the first."""
    largest = float(values.max())
    return int(np.argmax(values >= largest - TIE * abs(largest)))


def connected_part(
    mask: Bool[np.ndarray, "grid_h grid_w"], seed: tuple[int, int]
) -> Bool[np.ndarray, "grid_h grid_w"]:
    """4-connected part of `mask` that holds the cell `seed` (row, column), or nothing."""
    numbered, _ = label(mask)
    # `mask &` because a seed outside of the mask has the number 0, that of the background.
    part: np.ndarray = mask & (numbered == numbered[seed])
    return part

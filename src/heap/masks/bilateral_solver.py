"""Edge-aware refinement of a mask: the fast bilateral solver (Barron and Poole, ECCV 2016).

Pixels that are near each other in place and colour share a vertex of a coarse grid in five
dimensions: x, y, luma and two of chroma. With W the blurred affinity of the vertices, made
bistochastic, the solver finds the vertex values y that minimise

    λ Σ_ij W_ij (y_i − y_j)² / 2 + Σ_p c (y_v(p) − t_p)²

for a target t on the pixels. Written from the description of the method, with the constants that
FOUND and TokenCut use.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64, Shaped, UInt8
from scipy.ndimage import binary_fill_holes
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import LinearOperator, cg

CENTRE = 2 * 5
"""Weight of a vertex in its own blur, that of a neighbour being 1: [1 2 1] along five axes."""
YUV = ((299_000, 587_000, 114_000), (-168_736, -331_264, 500_000), (500_000, -418_688, -81_312))
"""Luma and chroma of BT.601 in full range, in millionths of the channels. In whole numbers, so
that no pixel changes its cell by rounding: greys lie right on an edge of the chroma cells."""
ONE = 1_000_000
"""Unit of `YUV`: a weight of 1."""
MIDDLE = 128
"""Chroma of a grey."""
FOREGROUND = 0.5
"""Value of a map above which a pixel is foreground."""
TRUSTED_IOU = 0.5
"""IoU with the mask before, up to which a solved mask is not used, as in FOUND's code."""


@dataclass(frozen=True)
class Bilateral:
    """Sizes of the cells, and weights of smoothness and target; defaults are those of FOUND."""

    sigma_spatial: int = 16
    """Side of a cell in pixels."""
    sigma_luma: int = 16
    """Height of a cell in luma, of 256 steps."""
    sigma_chroma: int = 8
    """Width of a cell in each chroma, of 256 steps."""
    smoothness: float = 256.0
    """λ."""
    confidence: float = 0.999
    """c, the weight of the target at every pixel."""
    balancing: int = 10
    """Steps towards a bistochastic affinity."""
    tolerance: float = 1e-5
    """Conjugate gradients stop at this norm of the residual, relative to the right-hand side."""
    iterations: int = 25
    """Most iterations of conjugate gradients. This is what ends most solves, so the start matters:
    the mean target of each vertex."""


@dataclass(frozen=True)
class BilateralGrid:
    """Bilateral grid of one image, ready for any number of targets.

    A photo of 224×224 has about 4,000 vertices and takes 0.3 MB: two bytes a pixel, and one
    triangle of a sparse matrix over the vertices.
    """

    shape: tuple[int, int]
    """Height and width of the image."""
    vertex: Shaped[np.ndarray, " pixel"]
    """Vertex of each pixel, row-major; the smallest unsigned integers that can number them."""
    weight: Float64[np.ndarray, " vertex"]
    """Sum of the confidence over the pixels of a vertex."""
    diagonal: Float64[np.ndarray, " vertex"]
    """Diagonal of the symmetric matrix of the linear system."""
    links: csr_array
    """One triangle of that matrix; the other one is its transpose, and is not kept."""
    settings: Bilateral

    @classmethod
    def of(
        cls, pixels: UInt8[np.ndarray, "height width 3"], settings: Bilateral | None = None
    ) -> "BilateralGrid":
        """Grid of an RGB image of any size."""
        settings = settings or Bilateral()
        keys, strides = _keys(_cells(pixels, settings))
        vertices, vertex = np.unique(keys, return_inverse=True)
        edges, counts = _edges(vertices, strides), np.bincount(vertex).astype(np.float64)
        scale, mass = _balance(edges, counts, settings.balancing)
        weight = settings.confidence * counts
        # The minimum of the objective solves (λ (D_m - D_n B D_n) + c diag(counts)) y = c Σ t, with
        # n `scale`, m `mass` and B the blur.
        return cls(
            pixels.shape[:2],
            vertex.astype(np.min_scalar_type(len(vertices) - 1)),
            weight,
            settings.smoothness * (mass - CENTRE * scale**2) + weight,
            _triangle(edges, -settings.smoothness * scale[edges[0]] * scale[edges[1]], len(scale)),
            settings,
        )

    def solve(
        self, target: Float32[np.ndarray, "height width"]
    ) -> Float32[np.ndarray, "height width"]:
        """Smooth map nearest to `target`, both in [0, 1]."""
        # Sum of the target over the pixels of each vertex: the right-hand side.
        pull = self.settings.confidence * np.bincount(self.vertex, target.ravel())
        values, _ = cg(
            self._system(),
            pull,
            x0=pull / self.weight,
            rtol=self.settings.tolerance,
            atol=0.0,
            maxiter=self.settings.iterations,
            # Jacobi preconditioner. A vertex has a pixel at least, so that the diagonal is nowhere
            # below the confidence and can be divided by.
            M=diags_array(1 / self.diagonal),
        )
        # Stopped early, conjugate gradients do not promise to stay in the range of the target.
        solved: np.ndarray = values.clip(0, 1).astype(np.float32)[self.vertex]
        return solved.reshape(self.shape)

    def _system(self) -> LinearOperator:
        upper, lower, diagonal = self.links, self.links.T, self.diagonal
        return LinearOperator(
            (len(diagonal),) * 2,
            matvec=lambda values: np.asarray(diagonal * values + upper @ values + lower @ values),
            dtype=np.float64,
        )


def solve_mask(
    grid: BilateralGrid,
    target: Bool[np.ndarray, "height width"] | Float32[np.ndarray, "height width"],
) -> tuple[Float32[np.ndarray, "height width"], Bool[np.ndarray, "height width"]]:
    """Solved map in [0, 1], and its mask if that can be trusted, else the mask of the target.

    `target` is a mask, or a map in [0, 1] that is a mask above 0.5.
    """
    soft = grid.solve(target.astype(np.float32))
    mask = trusted_mask(soft, target > FOREGROUND)
    return soft, target > FOREGROUND if mask is None else mask


def trusted_mask(
    soft: Float32[np.ndarray, "height width"], before: Bool[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"] | None:
    """Mask of a solved map, holes filled; None where its IoU with the mask `before` is 0.5 or less.

    Two empty masks have no overlap.
    """
    mask: np.ndarray = binary_fill_holes(soft > FOREGROUND)
    # Compared without the division of an IoU, because the union may be empty.
    union = np.count_nonzero(mask | before)
    return mask if np.count_nonzero(mask & before) > TRUSTED_IOU * union else None


def _cells(
    pixels: UInt8[np.ndarray, "height width 3"], settings: Bilateral
) -> list[Int32[np.ndarray, "..."]]:
    """Coordinates of the cell of each pixel, as arrays that broadcast to the image."""
    height, width, _ = pixels.shape
    rows, cols = np.ogrid[:height, :width]
    red, green, blue = np.moveaxis(pixels.astype(np.int32), -1, 0)
    # In millionths these are at most 255 million, so that 32 bits hold them.
    luma, *chroma = (r * red + g * green + b * blue for r, g, b in YUV)
    return [
        (rows // settings.sigma_spatial).astype(np.int32),
        (cols // settings.sigma_spatial).astype(np.int32),
        luma // (ONE * settings.sigma_luma),
        *((plane + ONE * MIDDLE) // (ONE * settings.sigma_chroma) for plane in chroma),
    ]


def _keys(cells: list[Int32[np.ndarray, "..."]]) -> tuple[Int64[np.ndarray, " pixel"], list[int]]:
    """Number of the cell of each pixel, and the step from a cell to the next along each axis.

    The numbers count in mixed radix with one digit more than an axis has cells. So the neighbour
    beyond the first or last cell has a number that no cell has.
    """
    key: np.ndarray = np.zeros((), dtype=np.int64)
    stride, strides = 1, []
    for axis in cells:
        low, high = int(axis.min()), int(axis.max())
        # In 64 bits: five axes have far more cells than 32 bits can number.
        key = key + (axis - low) * np.int64(stride)
        strides.append(stride)
        stride *= high - low + 2  # cells of the axis, and the spare digit
    return key.ravel(), strides


def _edges(
    vertices: Int64[np.ndarray, " vertex"], strides: list[int]
) -> Int32[np.ndarray, "2 edge"]:
    """Pairs of vertices that are neighbours along one axis; `vertices` are sorted cell numbers."""
    pairs = []
    for stride in strides:
        # Modulo, for beyond the last vertex there is none to compare with; the first differs too.
        place = np.searchsorted(vertices, vertices + stride) % len(vertices)
        here = np.flatnonzero(vertices[place] == vertices + stride)
        pairs.append(np.stack([here, place[here]]))
    return np.concatenate(pairs, axis=1).astype(np.int32)


def _balance(
    edges: Int32[np.ndarray, "2 edge"], counts: Float64[np.ndarray, " vertex"], steps: int
) -> tuple[Float64[np.ndarray, " vertex"], Float64[np.ndarray, " vertex"]]:
    """Factors n that make the blur, 1 2 1 along each axis, bistochastic; and the row sums m.

    The affinity is D_n B D_n. The row sums are those after so many steps, and not the counts that
    they tend to, so that a constant target stays constant.
    """
    half = _triangle(edges, np.ones(edges.shape[1]), len(counts))
    neighbours = csr_array(half + half.T)
    scale = np.ones(len(counts))
    for _ in range(steps):
        # Sinkhorn's iteration in its symmetric form; the root damps it.
        scale = np.sqrt(scale * counts / (CENTRE * scale + neighbours @ scale))
    return scale, scale * (CENTRE * scale + neighbours @ scale)


def _triangle(
    edges: Int32[np.ndarray, "2 edge"], values: Float64[np.ndarray, " edge"], side: int
) -> csr_array:
    return csr_array((values, (edges[0], edges[1])), shape=(side, side))

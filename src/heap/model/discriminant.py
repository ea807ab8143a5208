"""Fisher's linear discriminant of things: by what they differ, and their own parts do not.

Whether two halves of a part are two things or head and body of one is nothing that an image can
tell. All images of a fit together can: what varies within the things that they show says nothing,
and what varies from thing to thing does. No label is needed, for the things of two images are taken
for two kinds. It is no part of the published method.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import eigh
from torch import Tensor, nn

RIDGE = 0.1
"""Added to the variance within things, as a share of its mean over all directions."""
_SHARE = 3
"""One in so many directions is kept, those that tell things apart best; docs/quality.md, "Things
that touch"."""


class Discriminant(nn.Module):
    """Linear map after which a cosine tells whether two pieces belong to one thing.

    Before it has learned it changes nothing, and takes all for one thing.
    """

    matrix: Tensor
    alike: Tensor
    """Cosine above which two pieces belong to one thing."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.eye(dim))
        self.register_buffer("alike", torch.tensor(-1.0))

    @property
    def merge(self) -> float:
        """Cosine above which two pieces belong to one thing, to three digits."""
        return round(self.alike.item(), 3)

    def forward(self, whitened: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any dim"]:
        """Mapped whitened features; their length means nothing, compare them by cosine."""
        return whitened @ self.matrix

    @torch.no_grad()
    def learn(self, things: Iterable[Float[Tensor, "_ dim"]]) -> None:
        """Learn from the whitened patches of things, of each image one; one is in memory at a time.

        With S_b the covariance of the means of things and S_w that of patches about the mean of
        their thing, the directions v that maximise vᵀ S_b v / vᵀ S_w v are kept, a third of all.
        From fewer than two things nothing is learned.
        """
        means, count = [], 0
        within = torch.zeros_like(self.matrix, dtype=torch.float64, device="cpu")
        for patches in things:
            exact = patches.cpu().double()
            means.append(exact.mean(dim=0))
            spread = exact - means[-1]
            within, count = within + spread.mT @ spread, count + len(exact)
        if len(means) < 2:
            return
        within /= count
        # Not 0, for things of a single patch each, within which nothing varies.
        ridge = (RIDGE * within.diagonal().mean()).clamp(min=1e-12)
        within += ridge * torch.eye(len(within), dtype=within.dtype)
        between = torch.cov(torch.stack(means).mT)
        dim = len(within)
        # n means span n - 1 directions; in any other they are all the same.
        kept = max(1, min(dim // _SHARE, len(means) - 1))
        subset = (dim - kept, dim - 1)
        _, directions = eigh(between.numpy(), within.numpy(), subset_by_index=subset)
        # Rotated back (V → (V Vᵀ)^½, which leaves all cosines as they are), so that sign and order
        # of the eigenvectors, which differ between machines, do not matter.
        left, sizes, _ = torch.linalg.svd(torch.from_numpy(directions), full_matrices=False)
        self.matrix.copy_((left * sizes) @ left.mT)

    @torch.no_grad()
    def calibrate(self, cosines: Sequence[float], cut: float) -> None:
        """Choose the cosine below which lies a share `cut` of those between halves of one thing.

        Cosines of other encoders, heads and images are other cosines, but their share means the
        same everywhere.
        """
        if cosines:
            self.alike.fill_(float(np.quantile(cosines, cut)))

"""Whitening: a linear map after which no direction of the features dominates the others."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

RIDGE = 0.1
"""Added to the variance of every direction, as a share of the mean variance, so that directions of
little but noise are not blown up. docs/quality.md, "Comparing objects", compares it with others."""


class Whitening(nn.Module):
    """Linear map after which the features that it has learned from are uncorrelated.

    Most of the variance of features is in the same few directions in every image. After the map
    they no longer hide what is particular to a patch or object. It is linear, so the mean of mapped
    patches is the mapped mean. Before it has learned it changes nothing. It is no part of the
    published method.
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("matrix", torch.eye(dim))

    def forward(self, features: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any dim"]:
        """Whitened features; their length means nothing, compare them by cosine."""
        return (features - self.mean) @ self.matrix

    @torch.no_grad()
    def learn(self, images: Iterable[Float[Tensor, "_ dim"]], ridge: float = RIDGE) -> None:
        """Learn mean and covariance of the rows of all images; one image is in memory at a time.

        `ridge` counts in shares of the mean variance, as `RIDGE` does.
        """
        # In double precision: the covariance is a small difference of two large sums. On the CPU,
        # for not every device has it.
        count, total = 0, torch.zeros_like(self.mean, dtype=torch.float64, device="cpu")
        products = torch.zeros_like(self.matrix, dtype=torch.float64, device="cpu")
        for patches in images:
            exact = patches.cpu().double()
            count, total = count + len(exact), total + exact.sum(dim=0)
            products += exact.mT @ exact
        mean = total / count
        # Covariance E[x xᵀ] - E[x] E[x]ᵀ; columns of `directions` are its eigenvectors.
        variance, directions = torch.linalg.eigh(products / count - mean.outer(mean))
        variance = variance.clamp(min=0)  # rounding may leave them a little below
        # Not 0, for features that do not vary at all, as of a single patch.
        floor = (ridge * variance.mean()).clamp(min=1e-12)
        scaled = directions / (variance + floor).sqrt()
        self.mean.copy_(mean)
        # Rotated back (ZCA whitening), so that sign and order of the eigenvectors, which differ
        # between machines, do not matter.
        self.matrix.copy_(scaled @ directions.mT)

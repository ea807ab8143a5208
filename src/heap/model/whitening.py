"""Whitening: features in which no direction counts more than another by habit alone."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

RIDGE = 0.1
"""Added to the variance of every direction, as a share of their mean: noise is not blown up."""


class Whitening(nn.Module):
    """A linear map after which the features that it has learned from are uncorrelated.

    Most of what features differ in is the same few things in every image. What is compared after
    the map is alike by what is special about it. It is linear, so the mean of mapped patches is the
    mapped mean. Before it has learned it changes nothing. It is no part of the published method.
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
    def learn(self, images: Iterable[Float[Tensor, "_ dim"]]) -> None:
        """Take mean and covariance of the rows of all images, one image at a time in memory."""
        count, total = 0, torch.zeros_like(self.mean, dtype=torch.float64, device="cpu")
        products = torch.zeros_like(self.matrix, dtype=torch.float64, device="cpu")
        for patches in images:
            exact = patches.cpu().double()
            count, total = count + len(exact), total + exact.sum(dim=0)
            products += exact.mT @ exact
        mean = total / count
        variance, directions = torch.linalg.eigh(products / count - mean.outer(mean))
        ridge = RIDGE * variance.mean().clamp(min=1e-12)
        scaled = directions / (variance.clamp(min=0) + ridge).sqrt()
        self.mean.copy_(mean)
        # Turned back, so that the sign and order of eigenvectors do not matter.
        self.matrix.copy_(scaled @ directions.mT)

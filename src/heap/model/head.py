"""Grouping head: learnable tokens adapt to an image and cluster its patches into regions.

Patch → region → image, as in the paper: patches choose a token, the patches of a token are merged
into a region embedding, regions are merged into one foreground and one background embedding. The
shape of the blocks and of the region score are our choice.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from heap.config import HeadConfig
from heap.model.discriminant import Discriminant
from heap.model.objectness import Objectness
from heap.model.whitening import Whitening

EPS = 1e-6
"""Added to sums that we divide by: a group without patches has the embedding 0, not 0 / 0."""


@dataclass(frozen=True)
class Grouping:
    """Patches of a batch of images assigned to groups, and the groups' foreground probability."""

    assignment: Float[Tensor, "batch patch group"]
    """A: share of each patch that belongs to each group; sums to 1 over groups."""
    embeddings: Float[Tensor, "batch group dim"]
    """R: mean feature of the patches of a group."""
    area: Float[Tensor, "batch group"]
    """a: share of the image; sums to 1 over groups."""
    foreground: Float[Tensor, "batch group"]
    """P: probability in (0, 1) that the region is foreground."""

    def first_images(self, count: int) -> "Grouping":
        """Grouping of the first `count` images of the batch."""
        return Grouping(
            self.assignment[:count],
            self.embeddings[:count],
            self.area[:count],
            self.foreground[:count],
        )

    @property
    def saliency(self) -> Float[Tensor, "batch patch"]:
        """Foreground probability of each patch, Σ_m A_pm P_m."""
        return torch.einsum("bpm,bm->bp", self.assignment, self.foreground)

    @property
    def image_foreground(self) -> Float[Tensor, "batch dim"]:
        """Image-level foreground embedding, F^f = Σ_m a_m P_m R_m / Σ_m a_m P_m."""
        return _weighted_mean(self.embeddings, self.area * self.foreground)

    @property
    def image_background(self) -> Float[Tensor, "batch dim"]:
        """Image-level background embedding F^b, the same with 1 - P."""
        return _weighted_mean(self.embeddings, self.area * (1 - self.foreground))


class CrossAttentionBlock(nn.Module):
    """Tokens attend to the patches, then to themselves through an MLP; both residual."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        hidden = round(config.width * config.mlp_ratio)
        self.heads = config.heads
        self.query_norm = nn.LayerNorm(config.width)
        self.query = nn.Linear(config.width, config.width)
        # One layer for both: the first half of its rows is the keys' projection.
        self.key_value = nn.Linear(config.width, 2 * config.width)
        self.output = nn.Linear(config.width, config.width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(config.width),
            nn.Linear(config.width, hidden),
            nn.GELU(),
            nn.Linear(hidden, config.width),
        )

    def forward(
        self,
        tokens: Float[Tensor, "batch group width"],
        patches: Float[Tensor, "batch patch width"],
    ) -> Float[Tensor, "batch group width"]:
        """Adapt the tokens to the patches."""
        # Residual and pre-norm, as in a transformer block; patches are not changed.
        tokens = tokens + self.output(self._attend(self.query_norm(tokens), patches))
        out: Tensor = tokens + self.mlp(tokens)
        return out

    def _attend(
        self,
        tokens: Float[Tensor, "batch group width"],
        patches: Float[Tensor, "batch patch width"],
    ) -> Float[Tensor, "batch group width"]:
        """Multi-head attention of few tokens to many patches, keys and values never formed.

        q · (K x) is (Kᵀ q) · x, and Σ a (V x) is V (Σ a x): the projections move from the patches
        to the tokens. The bias of the keys adds the same to every patch, so softmax cancels it.
        """
        key, value = (  # (head, channel, width) each
            weight.unflatten(0, (self.heads, -1)) for weight in self.key_value.weight.chunk(2)
        )
        # Scaled by 1/√channels, so that the softmax does not saturate in wide heads.
        query = self.query(tokens).unflatten(-1, (self.heads, -1)) / key.shape[1] ** 0.5
        # Kᵀ q for each head; heads and tokens share an axis, for one product with the patches.
        projected = torch.einsum("bmhc,hcw->bhmw", query, key).flatten(1, 2)
        pooled = (projected @ patches.mT).softmax(dim=-1) @ patches  # Σ a x
        pooled = pooled.unflatten(1, (self.heads, -1))  # (batch, head, group, width)
        attended = torch.einsum("bhmw,hcw->bmhc", pooled, value).flatten(2)
        # Attention sums to 1, so the bias of the values comes through as it is.
        out: Tensor = attended + self.key_value.bias.chunk(2)[1]
        return out


class GroupingHead(nn.Module):
    """Grouping of patch features into regions with a foreground probability.

    The head also holds what fitting has learned at its end: two whitenings, one to compare patches
    and one to compare objects, whose embeddings come from the encoder directly; and on whitened
    patches objectness, and the discriminant that tells one thing from another.
    """

    centre: Tensor

    def __init__(self, dim: int, embedding_dim: int, config: HeadConfig) -> None:
        super().__init__()
        self.temperature, self.rounds = config.temperature, config.rounds
        # A buffer, for it is computed from the training images and not trained.
        self.register_buffer("centre", torch.zeros(dim))
        self.tokens = nn.Parameter(torch.randn(config.groups, config.width))
        self.input = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, config.width))
        self.blocks = nn.ModuleList(CrossAttentionBlock(config) for _ in range(config.blocks))
        # Back to the width of the features, among which the adapted tokens are compared.
        self.output = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, dim))
        # P_m = σ(w·LN(R_m) + b)
        self.score_norm = nn.LayerNorm(dim)
        self.score = nn.Linear(dim, 1)
        self.whitening = Whitening(dim)
        self.object_whitening = Whitening(embedding_dim)
        self.objectness = Objectness(dim)
        self.discriminant = Discriminant(dim)

    def forward(self, features: Float[Tensor, "batch patch dim"]) -> Grouping:
        """Group the patches of each image; `features` may have any length.

        The adapted tokens are only where grouping begins: in each round the mean of a group takes
        the place of its token and patches choose again, as in k-means. So groups follow what is in
        this image, and training moves the tokens to where that ends well.
        """
        features = self.subtract_centre(features)
        directions = F.normalize(features, dim=-1)  # x̂_p: assignment is by cosine
        assignment = self._assign(directions, self._adapt_tokens(features))
        embeddings = _region_means(features, assignment)
        for _ in range(self.rounds):
            assignment = self._assign(directions, embeddings)
            embeddings = _region_means(features, assignment)
        foreground = self.score(self.score_norm(embeddings))[..., 0].sigmoid()
        # The area a_m = Σ_p A_pm / N is the mean over patches.
        return Grouping(assignment, embeddings, assignment.mean(dim=1), foreground)

    def _adapt_tokens(
        self, features: Float[Tensor, "batch patch dim"]
    ) -> Float[Tensor, "batch group dim"]:
        """Adapt the group tokens to the patches, and project them to the space of the features."""
        patches = self.input(features)
        tokens = self.tokens.expand(features.shape[0], -1, -1)
        for block in self.blocks:
            tokens = block(tokens, patches)
        adapted: Tensor = self.output(tokens)
        return adapted

    def _assign(
        self,
        directions: Float[Tensor, "batch patch dim"],
        centres: Float[Tensor, "batch group dim"],
    ) -> Float[Tensor, "batch patch group"]:
        """Share of each patch in each group, A_pm = softmax_m(cos(x_p, c_m) / τ)."""
        similarity = directions @ F.normalize(centres, dim=-1).mT
        # Cosines are in [-1, 1]; without a small τ all shares would be nearly equal.
        return (similarity / self.temperature).softmax(dim=-1)

    def subtract_centre(self, features: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any dim"]:
        """Subtract the mean feature of the training images, which is 0 unless they were centred."""
        return features - self.centre

    def learn_whitening(self, images: Iterable[Float[Tensor, "_ dim"]]) -> None:
        """Learn to compare parts of images from the patches of images."""
        self.whitening.learn(self.subtract_centre(patches.to(self.centre)) for patches in images)

    @torch.no_grad()
    def invert(self) -> None:
        """Exchange foreground and background: P becomes 1 - P."""
        # 1 - σ(z) = σ(-z), and z = w·LN(R) + b.
        self.score.weight.neg_()
        self.score.bias.neg_()


def _region_means(
    features: Float[Tensor, "batch patch dim"], assignment: Float[Tensor, "batch patch group"]
) -> Float[Tensor, "batch group dim"]:
    """Region embeddings, R_m = Σ_p A_pm x_p / Σ_p A_pm."""
    return assignment.mT @ features / (assignment.sum(dim=1)[..., None] + EPS)


def _weighted_mean(
    embeddings: Float[Tensor, "batch group dim"], weight: Float[Tensor, "batch group"]
) -> Float[Tensor, "batch dim"]:
    total = weight.sum(dim=1, keepdim=True) + EPS
    return torch.einsum("bmd,bm->bd", embeddings, weight / total)

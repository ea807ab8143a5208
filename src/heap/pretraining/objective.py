"""Objectives of the student: parts of DINO and iBOT, and a dense prediction of the prior."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Projection of DINO: an MLP, unit length, and the cosine to each prototype."""

    def __init__(self, dim: int, prototypes: int, hidden: int = 512, bottleneck: int = 128) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )  # fmt: skip
        self.prototypes = nn.Linear(bottleneck, prototypes, bias=False)

    def forward(self, tokens: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any prototype"]:
        """Cosines to the prototypes, in [-1, 1]."""
        directions = F.normalize(self.prototypes.weight, dim=-1)
        return F.linear(F.normalize(self.mlp(tokens), dim=-1), directions)


@torch.no_grad()
def sinkhorn(
    logits: Float[Tensor, "row prototype"], temperature: float, iterations: int = 3
) -> Float[Tensor, "row prototype"]:
    """Targets in which every prototype is used alike (SwAV, DINOv2); each row sums to 1."""
    scores = logits.float() / temperature
    plan = torch.exp(scores - scores.max())  # shifted, so that nothing overflows
    # Columns and rows in turns come near to both sums; rows are last, so those are exact.
    for _ in range(iterations):
        plan = plan / plan.sum(dim=0, keepdim=True).clamp_min(1e-12)
        plan = plan / plan.sum(dim=1, keepdim=True).clamp_min(1e-12)
    return plan


def cross_entropy(
    target: Float[Tensor, "*row prototype"],
    logits: Float[Tensor, "*row prototype"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Mean over rows of -Σ target log softmax(logits / temperature)."""
    return -(target * F.log_softmax(logits.float() / temperature, dim=-1)).sum(dim=-1).mean()


def random_blocks(
    batch: int, rows: int, cols: int, share: float, generator: torch.Generator
) -> Bool[Tensor, "batch patch"]:
    """Mask rectangles that cover about `share` of a grid; in half of the images none."""
    device = generator.device
    # Sides vary around the root of the share by a factor of at most e^0.35, about 1.4.
    spread = torch.empty(batch, 2, device=device).uniform_(-0.7, 0.7, generator=generator)
    extent = (share * spread.exp()).sqrt()
    low = torch.rand(batch, 2, generator=generator, device=device) * (1 - extent).clamp(min=0)
    inside = []
    for axis, count in enumerate((rows, cols)):
        cells = (torch.arange(count, device=device) + 0.5) / count  # centres, in [0, 1]
        start, size = low[:, axis, None], extent[:, axis, None]
        inside.append((cells >= start) & (cells <= start + size))
    block = inside[0][:, :, None] & inside[1][:, None, :]
    block &= torch.rand(batch, 1, 1, generator=generator, device=device) < 0.5
    return block.flatten(1)


COLOUR_WIDTH = 0.05
"""Standard deviation of the likeness of patches in colour; colours are in [0, 1]."""
PLACE_WIDTH = 0.1
"""Standard deviation of the nearness of patches, as a fraction of the sides."""


@torch.no_grad()
def smooth_by_colour(
    foreground: Float[Tensor, "batch patch"],
    colours: Float[Tensor, "batch 3 grid_h grid_w"],
) -> Float[Tensor, "batch patch"]:
    """Average foreground probabilities over near patches of like colour: a bilateral filter.

    It gives the teacher's coarse prediction the outlines of the image. `colours` are luma and
    weighted chroma of each patch, see `patch_colours`.
    """
    rows, cols = colours.shape[-2:]
    down, right = torch.meshgrid(
        torch.arange(rows, device=colours.device) / rows,
        torch.arange(cols, device=colours.device) / cols,
        indexing="ij",
    )
    place = torch.stack([down, right]).flatten(1).T / PLACE_WIDTH
    colour = colours.flatten(2).transpose(1, 2) / COLOUR_WIDTH
    # In units of the two widths, so that one Gaussian of width 1 weighs colour and place.
    space = torch.cat([colour, place.expand(len(colours), -1, -1)], dim=-1)
    weight = torch.exp(-torch.cdist(space, space).square() / 2)
    return (weight @ foreground[..., None])[..., 0] / weight.sum(dim=-1)


def dense_loss(
    logits: Float[Tensor, "batch patch"],
    prior: Float[Tensor, "batch patch"],
    taught: Float[Tensor, "batch patch"],
    trust: float,
) -> Float[Tensor, ""]:
    """Cross-entropy to the colour prior, mixed by `trust` with the teacher's prediction."""
    target = torch.lerp(prior, taught, trust)
    return F.binary_cross_entropy_with_logits(logits.float(), target)

"""What the student learns from the teacher: DINO, iBOT, and a dense prediction of the prior."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """DINO's projection: an MLP, unit length, and the cosine to each prototype."""

    def __init__(self, dim: int, prototypes: int, hidden: int = 512, bottleneck: int = 128) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )  # fmt: skip
        self.prototypes = nn.Linear(bottleneck, prototypes, bias=False)

    def forward(self, tokens: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any prototype"]:
        """Cosines in [-1, 1]."""
        directions = F.normalize(self.prototypes.weight, dim=-1)
        return F.linear(F.normalize(self.mlp(tokens), dim=-1), directions)


@torch.no_grad()
def sinkhorn(
    logits: Float[Tensor, "row prototype"], temperature: float, iterations: int = 3
) -> Float[Tensor, "row prototype"]:
    """Targets in which every prototype is used alike (SwAV, DINOv2); each row sums to 1."""
    scores = logits.float() / temperature
    plan = torch.exp(scores - scores.max())
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
    batch: int, side: int, share: float, generator: torch.Generator
) -> Bool[Tensor, "batch patch"]:
    """Mask rectangles that cover about `share` of a `side` × `side` grid; half of the rows none."""
    device = generator.device
    extent = (share * torch.exp(torch.empty(batch, 2, device=device).uniform_(
        -0.7, 0.7, generator=generator))).sqrt()  # fmt: skip
    low = torch.rand(batch, 2, generator=generator, device=device) * (1 - extent).clamp(min=0)
    cells = (torch.arange(side, device=device) + 0.5) / side
    inside = (cells >= low[..., None]) & (cells <= (low + extent)[..., None])
    block = inside[:, 0, :, None] & inside[:, 1, None, :]
    block &= torch.rand(batch, 1, 1, generator=generator, device=device) < 0.5
    return block.flatten(1)


def prior_loss(
    logits: Float[Tensor, "batch patch"],
    prior: Float[Tensor, "batch patch"],
    teacher_logits: Float[Tensor, "batch patch"],
    trust: float,
) -> Float[Tensor, ""]:
    """Cross-entropy to the prior, mixed with the teacher's own prediction by `trust` in [0, 1]."""
    target = torch.lerp(prior, teacher_logits.float().sigmoid(), trust)
    return F.binary_cross_entropy_with_logits(logits.float(), target)

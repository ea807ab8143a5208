"""FOUND (Siméoni et al., CVPR 2023): the background seed, and the linear layer that it teaches.

Written from the description of the method. Our training works on cached features, so FOUND's image
augmentation and its bilateral solver are left out; everything else is its recipe.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

EPS = 1e-10
SEED_STEPS = 100
"""Steps in which the seed teaches; after them the layer teaches itself."""


def background_seed(
    keys: Float[Tensor, "batch patch dim"],
    cls_attention: Float[Tensor, "batch head patch"],
    threshold: float = 0.3,
) -> Bool[Tensor, "batch patch"]:
    """True where a patch is like the least attended one of its image: the background.

    Heads that attend to little weigh more: with Q_h the share of patches above the mean attention,
    β_h = log(Σ_h Q_h / Q_h) weighs both the attention and the head's part of the key. The seed is
    argmin_p Σ_h β_h a_hp, and the background is cos(key_p, key_seed) > `threshold`.
    """
    heads = cls_attention.shape[1]
    above = cls_attention > cls_attention.mean(dim=(1, 2), keepdim=True)
    share = above.float().mean(dim=2) + EPS
    beta = (share.sum(dim=1, keepdim=True) / share).log()
    seed = torch.einsum("bh,bhp->bp", beta, cls_attention).argmin(dim=1)
    weighted = keys.unflatten(-1, (heads, -1)) * beta[:, None, :, None]
    directions = F.normalize(weighted.flatten(2), dim=-1)
    chosen = directions[torch.arange(len(seed), device=seed.device), seed]
    return torch.einsum("bpd,bd->bp", directions, chosen) > threshold


STEPS = 500
BATCH = 50
LEARNING_RATE = 5e-2
DECAY = 0.95
"""Factor of the learning rate every 50 steps."""


class FoundLayer(nn.Module):
    """One 1×1 convolution, that is a linear layer, on the features of a patch."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, 1)

    def forward(self, features: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any"]:
        """Foreground logit of each patch."""
        logits: Tensor = self.linear(features)
        return logits[..., 0]


def train_found(
    features: Float[Tensor, "image patch dim"],
    background: Bool[Tensor, "image patch"],
    *,
    seed: int = 0,
) -> FoundLayer:
    """Teach a layer by the background seed for 100 steps, then by its own binarised prediction.

    The layer is linear in each patch, so a sample of the patches of each image serves as well as
    all of them. Both steps weigh the losses as FOUND does, without its solver.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = FoundLayer(features.shape[-1])
    optimizer = torch.optim.AdamW(layer.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 50, DECAY)
    for step in range(STEPS):
        pick = torch.randint(len(features), (BATCH,), generator=generator)
        logits = layer(features[pick].float())
        own = F.binary_cross_entropy_with_logits(logits, (logits.detach() > 0).float())
        if step < SEED_STEPS:
            taught = (~background[pick]).float()
            loss = F.binary_cross_entropy_with_logits(logits, taught) + 1.5 * own
        else:
            loss = 5.5 * own
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return layer.requires_grad_(False)

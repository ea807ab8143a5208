"""Losses of HEAP, three in number, and the orientation prior that may be added to them.

The paper's exact formulas are not available to us. The contrastive forms are those of C²AM (CVPR
2022); the grouping losses are classical graph objectives on soft assignments. Each function takes
the smallest thing it needs, so that each can be tested against its formula written out literally.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from heap.config import Affinity, LossConfig
from heap.model.head import EPS, Grouping

BOUND = 1e-4
"""ε: the bounded cosine stays so far below 1 that log(1 - s) and its gradient are finite."""
SHARPNESS = 10.0
"""β of the softplus: the higher, the closer the bounded cosine is to max(0, cos). With 10, a cosine
of 0 becomes 0.07, so that images whose foreground and background coincide, or are unrelated, still
have a gradient."""


def bounded_cosine(
    u: Float[Tensor, "*rows dim"], v: Float[Tensor, "*columns dim"]
) -> Float[Tensor, "rows columns"]:
    """Cosine of every pair, mapped smoothly and monotonously from [-1, 1] into (0, 1).

    s = (1 - ε) softplus(βc) / softplus(β): close to max(0, c), but with a gradient everywhere, so
    that both log s and log(1 - s) can be trained through.
    """
    cosine = F.normalize(u, dim=-1) @ F.normalize(v, dim=-1).mT
    # The divisor is softplus(β), which a cosine of 1 would reach.
    return (1 - BOUND) * F.softplus(SHARPNESS * cosine) / math.log1p(math.exp(SHARPNESS))


def intra_loss(
    assignment: Float[Tensor, "batch patch group"],
    features: Float[Tensor, "batch patch dim"],
    config: LossConfig,
) -> Float[Tensor, ""]:
    """L_intra: patches of one image group by their similarity; the form is `config.intra_form`.

    With W the affinity of patches, k its row sums and E its sum:

    - ncut: -(1/M) Σ_m (Σ_pq W_pq A_pm A_qm) / (Σ_p k_p A_pm), the soft normalised cut less 1;
    - modularity: -(1/E) Σ_pq (W_pq - γ k_p k_q / E) ⟨A_p, A_q⟩, with the resolution γ of
      Reichardt and Bornholdt (2006);
    - correlation: -mean_pq (cos_pq - β) ⟨A_p, A_q⟩.
    """
    directions = F.normalize(features, dim=-1)
    if config.intra_form == "correlation":
        # Both sums over pairs factorise, so no pair is formed:
        # Σ_pq ⟨A_p, A_q⟩ = Σ_m (Σ_p A_pm)², Σ_pq cos_pq ⟨A_p, A_q⟩ = Σ_m ‖Σ_p A_pm x̂_p‖².
        mass = assignment.sum(dim=1)
        within = (assignment.mT @ directions).square().sum(dim=-1)
        loss = config.correlation_shift * mass.square() - within
        return (loss.sum(dim=1) / features.shape[1] ** 2).mean()  # N² pairs of patches
    within, degree = group_associations(assignment, directions, config.affinity)
    share = torch.einsum("bp,bpm->bm", degree, assignment)  # Σ_p k_p A_pm
    if config.intra_form == "ncut":
        return -(within / (share + EPS)).mean()  # the mean over groups is the 1/M
    total = degree.sum(dim=1, keepdim=True)  # E
    # Affinity expected within a group if it were spread by degree: Σ_pq k_p k_q ⟨A_p, A_q⟩ / E.
    by_chance = config.granularity * share.square() / total
    return -((within - by_chance) / total).sum(dim=1).mean()


def group_associations(
    assignment: Float[Tensor, "batch patch group"],
    directions: Float[Tensor, "batch patch dim"],
    affinity: Affinity,
) -> tuple[Float[Tensor, "batch group"], Float[Tensor, "batch patch"]]:
    """Association Σ_pq W_pq A_pm A_qm of each group m, and the degrees k_p = Σ_q W_pq.

    `relu` is W = max(0, cos), quadratic in patches. `linear` is W = (1 + cos) / 2, whose sums
    factorise: Σ_pq cos_pq A_pm A_qm = ‖Σ_p A_pm x̂_p‖², so that it never forms W.
    """
    if affinity == "relu":
        weights = (directions @ directions.mT).relu()
        within = ((weights @ assignment) * assignment).sum(dim=1)
        return within, weights.sum(dim=-1)
    sums = (assignment.mT @ directions).square().sum(dim=-1)  # ‖Σ_p A_pm x̂_p‖²
    # Σ_q (1 + cos_pq) = N + x̂_p · Σ_q x̂_q; the 2 of W's denominator comes at the end.
    degree = directions.shape[1] + torch.einsum("bpd,bd->bp", directions, directions.sum(dim=1))
    return (assignment.sum(dim=1).square() + sums) / 2, degree / 2


def negative_loss(
    foreground: Float[Tensor, "batch dim"], background: Float[Tensor, "batch dim"]
) -> Float[Tensor, ""]:
    """L_neg = -mean_ij log(1 - s(F^f_i, F^b_j)) over all pairs of the batch (C²AM, CVPR 2022)."""
    return -torch.log1p(-bounded_cosine(foreground, background)).mean()


def inter_loss(
    embeddings: Float[Tensor, "batch group dim"],
    weight: Float[Tensor, "batch group"],
    rank_decay: float,
) -> Float[Tensor, ""]:
    """L_inter = -Σ w_uv log s(R_u, R_v) / Σ w_uv over regions u, v of different images.

    w_uv = exp(-α rank_uv) · weight_u · weight_v, where rank_uv is the place of v, from 0, among all
    regions of other images by similarity to u. Ranks and weights carry no gradient. `weight` is the
    area times P for foreground regions, times 1 - P for background regions.
    """
    batch, groups, _ = embeddings.shape
    similarity = bounded_cosine(embeddings.flatten(0, 1), embeddings.flatten(0, 1))
    with torch.no_grad():
        image = torch.arange(batch, device=embeddings.device).repeat_interleave(groups)
        same = image[:, None] == image[None]
        # Similarities are above 0, so with -1 regions of the same image come last and take no rank
        # from others. The stable sort keeps ties the same on every run.
        order = similarity.masked_fill(same, -1).argsort(dim=1, descending=True, stable=True)
        # The rank of v is its place in the order: the inverse permutation of each row.
        rank = torch.empty_like(order).scatter_(
            1, order, torch.arange(len(order), device=order.device).expand_as(order)
        )
        flat = weight.flatten()
        pair = torch.exp(-rank_decay * rank) * flat[:, None] * flat[None]
        pair = pair.masked_fill(same, 0)
    return -(pair * similarity.log()).sum() / (pair.sum() + EPS)


def prior_loss(
    saliency: Float[Tensor, "batch patch"], prior: Float[Tensor, "batch patch"]
) -> Float[Tensor, ""]:
    """Cross-entropy of the foreground probability of the patches to a prior in [0, 1]."""
    # Written out, because torch's binary cross-entropy raises its own error for a saliency that is
    # NaN; this one gives a NaN, which the trainer reports with the step and all losses.
    p = saliency.clamp(EPS, 1 - EPS)
    return -(prior * p.log() + (1 - prior) * torch.log1p(-p)).mean()


def heap_losses(
    grouping: Grouping,
    features: Float[Tensor, "batch patch dim"],
    prior: Float[Tensor, "batch patch"] | None,
    config: LossConfig,
    image_count: int | None = None,
) -> dict[str, Float[Tensor, ""]]:
    """Losses that have a weight, unweighted; `features` are centred as the head sees them.

    The first `image_count` of the batch, by default all, are images; the others are crops without
    a foreground, which L_neg and the foreground's part of L_inter leave out. L_intra sees the first
    patches only, so patches must come in random order.
    """
    losses = {}
    if config.intra:
        # A sample of the patches, for the affinity of all pairs is quadratic in them.
        seen = slice(config.intra_patches)
        losses["intra"] = intra_loss(grouping.assignment[:, seen], features[:, seen], config)
    images = grouping if image_count is None else grouping.first_images(image_count)
    if config.negative:
        losses["negative"] = negative_loss(images.image_foreground, images.image_background)
    if config.inter:
        # Foreground regions by a·P, background regions by a·(1 - P); crops have background too.
        losses["inter"] = inter_loss(
            images.embeddings, images.area * images.foreground, config.rank_decay
        ) + inter_loss(
            grouping.embeddings, grouping.area * (1 - grouping.foreground), config.rank_decay
        )
    if prior is not None and config.prior_weight:
        losses["prior"] = prior_loss(grouping.saliency, prior)
    return losses


def total_loss(losses: dict[str, Float[Tensor, ""]], config: LossConfig) -> Float[Tensor, ""]:
    """Weighted sum of `heap_losses`."""
    weights = {
        "intra": config.intra, "negative": config.negative,
        "inter": config.inter, "prior": config.prior_weight,
    }  # fmt: skip
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()

"""Losses of a step, from the outputs of teacher and student for the same crops."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from heap.pretraining.config import PretrainConfig
from heap.pretraining.objective import cross_entropy, dense_loss, sinkhorn, smooth_by_colour
from heap.pretraining.student import StudentOutput


def image_loss(
    taught: Sequence[StudentOutput], seen: Sequence[StudentOutput], config: PretrainConfig
) -> Tensor:
    """DINO, over every pair of a crop that the teacher saw and another crop of the student's."""
    targets = [sinkhorn(_require(view.image), config.teacher_temperature) for view in taught]
    pairs = [
        cross_entropy(target, _require(other.image), config.student_temperature)
        for view, target in enumerate(targets)
        for number, other in enumerate(seen)
        if number != view
    ]
    return torch.stack(pairs).mean()


def patch_loss(
    taught: Sequence[StudentOutput],
    seen: Sequence[StudentOutput],
    masks: Sequence[Bool[Tensor, "batch patch"]],
    config: PretrainConfig,
) -> Tensor:
    """IBOT, over the patches that were hidden from the student; 0 if none was."""
    # A zero that depends on the head: several devices wait for the gradient of every weight.
    losses = [0 * _require(seen[0].patch).float().sum()]
    for ours, theirs, mask in zip(taught, seen, masks, strict=False):
        # Without a hidden patch there is nothing to take a mean of.
        if mask.any():
            target = sinkhorn(_require(ours.patch)[mask], config.teacher_temperature)
            rows = _require(theirs.patch)[mask]
            losses.append(cross_entropy(target, rows, config.student_temperature))
    return torch.stack(losses).sum() / len(masks)


def foreground_loss(
    taught: Sequence[StudentOutput],
    seen: Sequence[StudentOutput],
    priors: Sequence[Float[Tensor, "batch patch"]],
    colours: Sequence[Float[Tensor, "batch 3 grid_h grid_w"]],
    trust: float,
) -> Tensor:
    """Dense prediction of the prior of each crop, mixed by `trust` with that of the teacher.

    `colours` are those of the patches of the crop, along which the teacher's part is smoothed.
    """
    losses = []
    for ours, theirs, prior, cells in zip(taught, seen, priors, colours, strict=False):
        smooth = smooth_by_colour(_require(ours.dense).sigmoid(), cells)
        losses.append(dense_loss(_require(theirs.dense), prior, smooth, trust))
    return torch.stack(losses).mean()


def cosine_loss(
    predicted: Float[Tensor, "*any width"], target: Float[Tensor, "*any width"]
) -> Tensor:
    """One less the mean cosine between features of a stronger encoder and their prediction."""
    return (1 - F.cosine_similarity(predicted.float(), target, dim=-1)).mean()


WITHIN, ACROSS = 128, 16
"""Patches of an image that are compared with each other, and with those of other images."""


def alike_loss(
    patches: Float[Tensor, "batch patch width"],
    embeddings: Float[Tensor, "batch whole_width"],
    seen: StudentOutput,
    order: Int64[Tensor, " patch"],
) -> Tensor:
    """Difference of the cosines between features from those of a stronger encoder.

    `patches` and `embeddings` are the stronger encoder's. Cosines are between patches of one image,
    patches of all, and whole images, and the difference is the unexplained share of their variance.
    The first patches in this `order` are used, because all pairs would be too many.
    """
    ours, theirs = (rows[:, order[:WITHIN]] for rows in (seen.tokens, patches))
    # All images of the batch as one row of patches.
    few, others = (rows[:, :ACROSS].flatten(0, 1)[None] for rows in (ours, theirs))
    images = _unexplained(_require(seen.embedding)[None], embeddings[None])
    return (_unexplained(ours, theirs) + _unexplained(few, others) + images) / 3


def _unexplained(
    ours: Float[Tensor, "batch row dim"], theirs: Float[Tensor, "batch row width"]
) -> Tensor:
    """Mean squared difference of the cosines of all pairs, as a share of their variance."""
    # Without the diagonal: a row is like itself in any case.
    others = ~torch.eye(ours.shape[1], dtype=torch.bool, device=ours.device)
    # In float32, for cosines near 1 differ by less than half precision can hold.
    with torch.autocast(ours.device.type, enabled=False):
        mine, target = (
            (unit @ unit.mT)[:, others]
            for unit in (F.normalize(rows.float(), dim=-1) for rows in (ours, theirs))
        )
    # The floor is for a teacher that finds everything equally alike.
    return F.mse_loss(mine, target) / target.var().clamp_min(1e-4)


def trust_at(progress: float, config: PretrainConfig) -> float:
    """Teacher's share of the dense target: it grows to its end within half of what is left."""
    share = (progress - config.trust_from) / max(1 - config.trust_from, 1e-6)
    return config.trust * min(1.0, max(0.0, 2 * share))


@torch.no_grad()
def measure_collapse(view: StudentOutput) -> dict[str, Tensor]:
    """Signs of collapse: features that are all alike, prototypes that nothing chooses."""
    signs = {"token_spread": view.tokens.float().std(dim=(0, 1)).mean()}
    if view.image is not None:
        # At a fixed temperature, so that trainings can be compared whatever the student's own is;
        # the entropy is log K if all are used alike.
        usage = view.image.float().div(0.1).softmax(-1).mean(0)
        signs["prototype_entropy"] = -(usage * usage.clamp_min(1e-12).log()).sum()
    if view.dense is not None:
        signs["foreground"] = view.dense.sigmoid().mean()
    return signs


def _require(value: Tensor | None) -> Tensor:
    assert value is not None  # noqa: S101 - a head is there where its loss has a weight
    return value

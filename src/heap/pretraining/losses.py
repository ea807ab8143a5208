"""The losses of a step, from what teacher and student see in the same crops."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from heap.pretraining.config import PretrainConfig
from heap.pretraining.objective import agreed, cross_entropy, dense_loss, sinkhorn
from heap.pretraining.student import Seen


def image_loss(taught: Sequence[Seen], seen: Sequence[Seen], config: PretrainConfig) -> Tensor:
    """DINO, over every pair of a crop that the teacher saw and another crop of the student's."""
    targets = [sinkhorn(_given(view.image), config.teacher_temperature) for view in taught]
    pairs = [
        cross_entropy(target, _given(other.image), config.student_temperature)
        for view, target in enumerate(targets)
        for number, other in enumerate(seen)
        if number != view
    ]
    return torch.stack(pairs).mean()


def patch_loss(
    taught: Sequence[Seen],
    seen: Sequence[Seen],
    masks: Sequence[Bool[Tensor, "batch patch"]],
    config: PretrainConfig,
) -> Tensor:
    """IBOT, over the patches that were hidden from the student; 0 if none was."""
    # The zero depends on the head: several devices wait for the gradient of every weight.
    found = [0 * _given(seen[0].patch).float().sum()]
    for ours, theirs, mask in zip(taught, seen, masks, strict=False):
        # A loss without a hidden patch has no mean.
        if mask.any():
            target = sinkhorn(_given(ours.patch)[mask], config.teacher_temperature)
            rows = _given(theirs.patch)[mask]
            found.append(cross_entropy(target, rows, config.student_temperature))
    return torch.stack(found).sum() / len(masks)


def foreground_loss(
    taught: Sequence[Seen],
    seen: Sequence[Seen],
    priors: Sequence[Float[Tensor, "batch patch"]],
    colours: Sequence[Float[Tensor, "batch 3 grid_h grid_w"]],
    trust: float,
) -> Tensor:
    """Dense prediction of the prior of each crop, mixed by `trust` with what the teacher says.

    `colours` are those of the patches of the crop, over which the teacher's part is `agreed`.
    """
    found = [
        dense_loss(_given(theirs.dense), prior, agreed(_given(ours.dense).sigmoid(), cells), trust)
        for ours, theirs, prior, cells in zip(taught, seen, priors, colours, strict=False)
    ]
    return torch.stack(found).mean()


def cosine_loss(
    predicted: Float[Tensor, "*any width"], said: Float[Tensor, "*any width"]
) -> Tensor:
    """One less the mean cosine between what a stronger encoder says and the prediction of it."""
    return (1 - F.cosine_similarity(predicted.float(), said, dim=-1)).mean()


WITHIN, ACROSS = 128, 16
"""Patches of an image that are compared with each other, and with those of other images."""


def alike_loss(
    said: Float[Tensor, "batch patch width"],
    said_whole: Float[Tensor, "batch whole_width"],
    seen: Seen,
    order: Int64[Tensor, " patch"],
) -> Tensor:
    """How far the cosines between features are from those of a stronger encoder.

    Between patches of one image, patches of all, and whole images, as the unexplained share of
    their variance. The first patches in the order given are used: all would be too many.
    """
    ours, theirs = (rows[:, order[:WITHIN]] for rows in (seen.tokens, said))
    few, others = (rows[:, :ACROSS].flatten(0, 1)[None] for rows in (ours, theirs))
    wholes = _unexplained(_given(seen.embedding)[None], said_whole[None])
    return (_unexplained(ours, theirs) + _unexplained(few, others) + wholes) / 3


def _unexplained(
    ours: Float[Tensor, "batch row dim"], theirs: Float[Tensor, "batch row width"]
) -> Tensor:
    # A row is like itself in any case.
    others = ~torch.eye(ours.shape[1], dtype=torch.bool, device=ours.device)
    with torch.autocast(ours.device.type, enabled=False):
        mine, target = (
            (unit @ unit.mT)[:, others]
            for unit in (F.normalize(rows.float(), dim=-1) for rows in (ours, theirs))
        )
    return F.mse_loss(mine, target) / target.var().clamp_min(1e-4)


def grown_trust(progress: float, config: PretrainConfig) -> float:
    """The teacher's part of the dense target: grows to its end within half of what is left."""
    grown = (progress - config.trust_from) / max(1 - config.trust_from, 1e-6)
    return config.trust * min(1.0, max(0.0, 2 * grown))


@torch.no_grad()
def monitors(view: Seen) -> dict[str, Tensor]:
    """Signs of collapse: features that are all alike, prototypes that nothing chooses."""
    found = {"token_spread": view.tokens.float().std(dim=(0, 1)).mean()}
    if view.image is not None:
        usage = view.image.float().div(0.1).softmax(-1).mean(0)
        found["prototype_entropy"] = -(usage * usage.clamp_min(1e-12).log()).sum()
    if view.dense is not None:
        found["foreground"] = view.dense.sigmoid().mean()
    return found


def _given(value: Tensor | None) -> Tensor:
    assert value is not None  # noqa: S101 - a head is there where its loss has a weight
    return value

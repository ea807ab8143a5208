"""Learned positions of the patches of images that were not square in training.

Transformers takes the grid of training for a square one. Otherwise this is what it does.
"""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from heap.encoder.architecture import TransformerArchitecture


def use_training_grid(model: nn.Module, architecture: TransformerArchitecture) -> None:
    """Let a model spread its learned positions from the true grid of its training.

    Only where that is not square; DINOv3 has no learned positions.
    """
    rows, cols = architecture.training_grid
    if rows == cols or architecture.model_type == "dinov3_vit":
        return
    embeddings = model.get_submodule("embeddings")
    # Only those with registers are spread with smoothing, as their authors do it.
    smoothed = architecture.model_type == "dinov2_with_registers"
    spread = partial(_spread, embeddings, (rows, cols), architecture.patch_size, smoothed)
    embeddings.interpolate_pos_encoding = spread  # type: ignore[assignment]  # it is a method


def _spread(
    embeddings: nn.Module,
    grid: tuple[int, int],
    patch: int,
    smoothed: bool,
    tokens: Float[Tensor, "batch token dim"],
    height: int,
    width: int,
) -> Float[Tensor, "1 token dim"]:
    """Positions of the CLS token and of the patches of an image of this size, in pixels."""
    positions = embeddings.get_parameter("position_embeddings")
    target = (height // patch, width // patch)
    if target == grid:
        return positions
    first, patches = positions[:, :1], positions[:, 1:]
    table = patches.unflatten(1, grid).permute(0, 3, 1, 2)  # (1, dim, rows, cols)
    spread = nn.functional.interpolate(
        table, size=target, mode="bicubic", align_corners=False, antialias=smoothed
    )
    return torch.cat([first, spread.flatten(2).transpose(1, 2)], dim=1)

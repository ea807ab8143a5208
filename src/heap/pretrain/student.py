"""The network that is pretrained: a plain ViT of transformers and the heads that teach it."""

import copy

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import ViTConfig, ViTModel

from heap.config import PretrainConfig
from heap.pretrain.objective import ProjectionHead


class Student(nn.Module):
    """ViT and its three heads; the teacher is a moving average of the same module."""

    def __init__(self, config: PretrainConfig) -> None:
        super().__init__()
        self.vit = ViTModel(vit_config(config), add_pooling_layer=False, use_mask_token=True)
        self.image_head = ProjectionHead(config.width, config.prototypes)
        self.patch_head = ProjectionHead(config.width, config.prototypes)
        self.prior_head = nn.Linear(config.width, 1)

    def forward(
        self,
        pixels: Float[Tensor, "batch 3 side side"],
        mask: Bool[Tensor, "batch patch"] | None = None,
    ) -> tuple[Float[Tensor, "batch prototype"], Float[Tensor, "batch patch dim"]]:
        """Image-level prototype cosines, and the patch tokens before any head.

        `pixels` are colours in [0, 1]; masked patches are replaced by the mask token.
        """
        tokens = self.vit(
            (pixels - 0.5) / 0.5, bool_masked_pos=mask, interpolate_pos_encoding=True
        ).last_hidden_state
        return self.image_head(tokens[:, 0]), tokens[:, 1:]

    def teacher(self) -> "Student":
        """A frozen copy to average into."""
        return copy.deepcopy(self).requires_grad_(False).eval()

    @torch.no_grad()
    def follow(self, student: "Student", momentum: float) -> None:
        """Move towards the student: θ ← momentum · θ + (1 - momentum) · θ_student."""
        for ours, theirs in zip(self.parameters(), student.parameters(), strict=True):
            ours.lerp_(theirs, 1 - momentum)


def vit_config(config: PretrainConfig) -> ViTConfig:
    """The transformers configuration of the encoder alone."""
    return ViTConfig(
        hidden_size=config.width,
        num_hidden_layers=config.depth,
        num_attention_heads=config.heads,
        intermediate_size=4 * config.width,
        patch_size=config.patch,
        image_size=config.crop,
        layer_norm_eps=1e-6,
    )

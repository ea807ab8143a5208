"""Vision transformers: patch features and CLS attention of any block."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from heap.config import Facet
from heap.encoder.architecture import TransformerArchitecture, TransformerKind
from heap.encoder.attention import BY_HEAD
from heap.encoder.base import Encoder, Features, Origin, Outputs
from heap.encoder.positions import use_training_grid

_QUERY, _KEY = "attention.q_proj", "attention.k_proj"
"""Modules of the projections inside a block, in every family."""


@dataclass(frozen=True)
class _Layout:
    """Names of the modules of one family in transformers."""

    blocks: str
    norm: str
    """LayerNorm before a block's attention, inside the block."""
    last_norm: str
    """LayerNorm after the last block, whose output is that of the network."""
    embedding: tuple[tuple[str, bool], ...] = ()
    """Arguments of the patch embedding that let it take any size; the others always do."""
    rotary: str | None = None
    """Module with the angles by which queries and keys are rotated after their projection."""


_LAYOUTS: dict[TransformerKind, _Layout] = {
    "vit": _Layout(
        "layers", "layernorm_before", "layernorm", (("interpolate_pos_encoding", True),)
    ),
    "dinov2": _Layout("encoder.layer", "norm1", "layernorm"),
    "dinov2_with_registers": _Layout("encoder.layer", "norm1", "layernorm"),
    "dinov3_vit": _Layout("model.layer", "norm1", "norm", rotary="rope_embeddings"),
}


class VisionTransformer(Encoder):
    """Encoder that is a vision transformer."""

    def __init__(
        self, model: nn.Module, origin: Origin, architecture: TransformerArchitecture
    ) -> None:
        super().__init__(model, origin)
        if origin.precision == "bf16":
            network: Any = model  # Any: a class of transformers, whatever the family
            network.set_attn_implementation(BY_HEAD)
        use_training_grid(model, architecture)
        self._layout = _LAYOUTS[architecture.model_type]
        self.patch = self.least_side = architecture.patch_size
        self.dim = self.embedding_dim = architecture.hidden_size
        self.layers = architecture.num_hidden_layers
        self.heads = architecture.num_attention_heads

    @torch.no_grad()
    def forward(
        self, pixels: Float[Tensor, "batch 3 height width"], layer: int = -1, facet: Facet = "key"
    ) -> Features:
        """Features of one block of the transformer; the blocks after it are not computed.

        Facet `key` is the output of the block's key projection (in DINOv3 before its rotation),
        `token` the block's output, `output` the same after the final LayerNorm, whichever block it
        is. `pixels` are colours in [0, 1]; they are normalised here. Layers count from 0, negative
        layers from the end.

        Raises:
            ConfigError: if there is no such layer.
            InputError: if a side of the images is not a multiple of the patch.
        """
        index, grid = self._layer_index(layer), self._grid(pixels)
        pixels = self._normalise(pixels)
        tokens = self.model.get_submodule("embeddings")(pixels, **dict(self._layout.embedding))
        rotation = self._rotation(pixels)
        blocks = self._blocks()
        with torch.autocast(pixels.device.type, torch.bfloat16, self.precision == "bf16"):
            for block in blocks[:index]:
                tokens = block(tokens, **rotation)
            # Keys and the query of CLS are computed here again and not hooked out of the block: so
            # facet `key` needs no more of the last block than its projections.
            states = blocks[index].get_submodule(self._layout.norm)(tokens)
            keys = blocks[index].get_submodule(_KEY)(states)
            query = blocks[index].get_submodule(_QUERY)(states[:, :1])  # CLS is the first token
            patches = keys if facet == "key" else blocks[index](tokens, **rotation)
            if facet == "output":
                patches = self.model.get_submodule(self._layout.last_norm)(patches)
        attention = self._cls_attention(query.float(), keys.float(), rotation)
        # Patches come last, after the CLS token and registers.
        first = tokens.shape[1] - grid[0] * grid[1]
        return Features(patches[:, first:].float(), attention[..., first:], grid)

    @torch.no_grad()
    def embed(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float32[Tensor, "batch dim"]:
        """CLS token after the last block and the final LayerNorm; see `Encoder.embed`."""
        return self.outputs(pixels).embedding

    @torch.no_grad()
    def outputs(self, pixels: Float[Tensor, "batch 3 height width"]) -> Outputs:
        """Patch tokens and CLS token after the last LayerNorm; see `Encoder.outputs`."""
        rows, cols = self._grid(pixels)
        pixels = self._normalise(pixels)
        with torch.autocast(pixels.device.type, torch.bfloat16, self.precision == "bf16"):
            output: Any = self.model(pixels, **dict(self._layout.embedding))
        states: Tensor = output.last_hidden_state.float()
        # Patches come last, after the CLS token and registers.
        return Outputs(states[:, -rows * cols :], states[:, 0])

    def _blocks(self) -> nn.ModuleList:
        blocks = self.model.get_submodule(self._layout.blocks)
        assert isinstance(blocks, nn.ModuleList)  # noqa: S101 - narrows the type
        return blocks

    def _rotation(self, pixels: Float32[Tensor, "batch 3 height width"]) -> dict[str, Any]:
        if self._layout.rotary is None:
            return {}
        return {"position_embeddings": self.model.get_submodule(self._layout.rotary)(pixels)}

    def _cls_attention(
        self,
        query: Float32[Tensor, "batch 1 dim"],
        keys: Float32[Tensor, "batch token dim"],
        rotation: dict[str, Any],
    ) -> Float32[Tensor, "batch head token"]:
        """Attention of the CLS token: one softmax row a head, and never the map of all tokens.

        So memory grows with the number of tokens, and not with its square.
        """
        query, keys = (
            part.view(*part.shape[:2], self.heads, -1).transpose(1, 2) for part in (query, keys)
        )  # (batch, head, 1 or token, dim of a head)
        if rotation:
            # Imported here: a network of this family has loaded it already, others never need it.
            from transformers.models.dinov3_vit.modeling_dinov3_vit import apply_rotary_pos_emb

            # Only keys of patches are rotated; the CLS token has no place in the image, so that its
            # query stays as it is. The function takes queries too, for which the keys stand in.
            _, keys = apply_rotary_pos_emb(keys, keys, *rotation["position_embeddings"])
        # q·k / √(dim of a head), as in attention.
        scores: Tensor = (query * keys).sum(-1) * (self.dim // self.heads) ** -0.5
        return scores.softmax(-1)

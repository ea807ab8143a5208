"""A frozen vision transformer that gives patch features and CLS attention of any block."""

from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from transformers.models.dinov3_vit.modeling_dinov3_vit import apply_rotary_pos_emb

from heap.config import Facet, Precision
from heap.encoder import hub
from heap.encoder.architecture import KEY, QUERY, Architecture, Family
from heap.encoder.features import Features
from heap.encoder.files import find_files
from heap.encoder.precision import choose_precision
from heap.encoder.registry import resolve
from heap.encoder.weights import Colour, load_model, read_normalisation
from heap.errors import ConfigError, InputError


class Encoder(nn.Module):
    """Vision transformer in evaluation mode for good, without gradients; see `Encoder.load`."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: nn.Module,
        family: Family,
        architecture: Architecture,
        colours: tuple[Colour, Colour],
        *,
        name: str,
        fingerprint: str,
        precision: Literal["fp32", "bf16"],
    ) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.family = family
        self.architecture = architecture
        self.name = name
        """Alias, hub name or folder that it was loaded by."""
        self.fingerprint = fingerprint
        """SHA-256 over its configuration and weights; says nothing about the precision."""
        self.precision = precision
        """In which the blocks compute; features are float32 in either case."""
        for buffer, values in zip(("mean", "std"), colours, strict=True):
            self.register_buffer(buffer, torch.tensor(values).view(3, 1, 1), persistent=False)

    @classmethod
    def load(cls, name: str, *, device: str = "cpu", precision: Precision = "auto") -> "Encoder":
        """Load an encoder by alias, hub name or local folder; only a hub name uses the network.

        `auto` precision is bf16 where the device has instructions for it.

        Raises:
            InputError: if `name` or `device` is unknown.
            WeightsError: if the weights cannot be had, are damaged, or are not the model's.
        """
        where, place = _device(device), resolve(name)
        files = find_files(place if isinstance(place, Path) else hub.fetch(place))
        return cls(
            *load_model(files),
            read_normalisation(files),
            name=name,
            fingerprint=files.digest(),
            precision=choose_precision(precision, where),
        ).to(where)

    @torch.no_grad()
    def forward(
        self, pixels: Float[Tensor, "batch 3 height width"], layer: int = -1, facet: Facet = "key"
    ) -> Features:
        """Features of one block of the transformer; the blocks after it are not computed.

        Facet `key` is the output of the block's key projection (in DINOv3 before its rotation),
        `token` the block's output before the final LayerNorm. `pixels` are colours in [0, 1]; they
        are normalised here. Layers count from 0, negative ones from the end.

        Raises:
            ConfigError: if there is no such layer.
            InputError: if a side of the images is not a multiple of the patch.
        """
        index, grid = self._index(layer), self._grid(pixels)
        pixels = (pixels.to(self.mean) - self.mean) / self.std
        tokens = self.model.get_submodule("embeddings")(pixels, **dict(self.family.embedding))
        rotation = self._rotation(pixels)
        blocks = self._blocks()
        with torch.autocast(pixels.device.type, torch.bfloat16, self.precision == "bf16"):
            for block in blocks[:index]:
                tokens = block(tokens, **rotation)
            states = blocks[index].get_submodule(self.family.norm)(tokens)
            keys = blocks[index].get_submodule(KEY)(states)
            query = blocks[index].get_submodule(QUERY)(states[:, :1])
            patches = keys if facet == "key" else blocks[index](tokens, **rotation)
        attention = self._cls_attention(query.float(), keys.float(), rotation)
        first = tokens.shape[1] - grid[0] * grid[1]
        return Features(patches[:, first:].float(), attention[..., first:], grid)

    def train(self, mode: bool = True) -> "Encoder":
        """Stay in evaluation mode, whatever a module that holds this one is told."""
        super().train(False)
        return self

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels."""
        return self.architecture.patch_size

    @property
    def dim(self) -> int:
        """Width of the features, keys and tokens alike."""
        return self.architecture.hidden_size

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return self.architecture.num_hidden_layers

    @property
    def heads(self) -> int:
        """Attention heads in each block."""
        return self.architecture.num_attention_heads

    def _blocks(self) -> nn.ModuleList:
        blocks = self.model.get_submodule(self.family.blocks)
        assert isinstance(blocks, nn.ModuleList)  # noqa: S101 - narrows the type
        return blocks

    def _rotation(self, pixels: Float32[Tensor, "batch 3 height width"]) -> dict[str, Any]:
        if self.family.rotary is None:
            return {}
        return {"position_embeddings": self.model.get_submodule(self.family.rotary)(pixels)}

    def _cls_attention(
        self,
        query: Float32[Tensor, "batch 1 dim"],
        keys: Float32[Tensor, "batch token dim"],
        rotation: dict[str, Any],
    ) -> Float32[Tensor, "batch head token"]:
        """One softmax row a head: memory grows with the number of tokens, not with its square."""
        query, keys = (
            part.view(*part.shape[:2], self.heads, -1).transpose(1, 2) for part in (query, keys)
        )  # (batch, head, 1 or token, dim of a head)
        if rotation:
            # The CLS token has no place in the image, so its query is not rotated.
            _, keys = apply_rotary_pos_emb(keys, keys, *rotation["position_embeddings"])
        scores: Tensor = (query * keys).sum(-1) * (self.dim // self.heads) ** -0.5
        return scores.softmax(-1)

    def _index(self, layer: int) -> int:
        if not -self.layers <= layer < self.layers:
            raise ConfigError(
                f"encoder {self.name} has no layer {layer}: it has {self.layers} layers, "
                f"so {-self.layers} to {self.layers - 1} will do"
            )
        return layer % self.layers

    def _grid(self, pixels: Tensor) -> tuple[int, int]:
        height, width = pixels.shape[-2:]
        if height % self.patch or width % self.patch or not height * width:
            raise InputError(
                f"images of {width}x{height} pixels do not divide into the {self.patch}-pixel "
                f"patches of encoder {self.name}; resize them to multiples of {self.patch}"
            )
        return height // self.patch, width // self.patch


def _device(name: str) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} cannot be used ({reason}); try cpu") from error

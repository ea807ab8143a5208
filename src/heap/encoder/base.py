"""Interface of every frozen encoder, whichever network it is made of."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from heap.base.errors import ConfigError, InputError
from heap.base.forked import compute_after_fork
from heap.config import Facet
from heap.encoder.precision import refuse_other_numbers
from heap.encoder.weights import Colour


@dataclass(frozen=True)
class Features:
    """Patch features and CLS attention of one layer, for a batch of images."""

    patches: Float32[Tensor, "batch patch dim"]
    """Row-major over the grid. Keys are those of all heads, one head after the other."""
    cls_attention: Float32[Tensor, "batch head patch"]
    """Share of the CLS token's attention on each patch; CLS and registers have the rest of it.

    A pyramid has no such token; see `Pyramid.forward` for its substitute.
    """
    grid: tuple[int, int]
    """Rows and columns of patches."""

    @property
    def heads(self) -> int:
        """Number of attention heads: `patches.unflatten(-1, (heads, -1))` are their keys."""
        return self.cls_attention.shape[1]


@dataclass(frozen=True)
class Outputs:
    """Final output of an encoder for a batch of images, for another encoder to learn from."""

    patches: Float32[Tensor, "batch patch dim"]
    """Row-major over the grid, as `Features.patches`."""
    embedding: Float32[Tensor, "batch width"]
    """Feature of the whole image, as `Encoder.embed` gives it."""


@dataclass(frozen=True)
class Origin:
    """Identity of an encoder, and settings that it is used with."""

    name: str
    """Alias, hub name or folder that it was loaded by."""
    fingerprint: str
    """SHA-256 over its configuration and weights; the precision is no part of it."""
    precision: Literal["fp32", "bf16"]
    """Precision in which the network computes; features are float32 in either case."""
    colours: tuple[Colour, Colour]
    """Mean and standard deviation of the colours that it was trained with."""


class Encoder(nn.Module, ABC):
    """Network in evaluation mode for good, without gradients; see `heap.encoder.load`."""

    mean: Tensor
    std: Tensor
    patch: int
    """Side of a patch, in pixels."""
    dim: int
    """Width of the features, whatever their layer and facet."""
    layers: int
    """Number of layers that features can be taken from."""
    heads: int
    """Attention heads, the rows of CLS attention."""
    embedding_dim: int
    """Width of the embeddings that `embed` gives."""
    least_side: int
    """Side in pixels below which images are continued by their edge; the patch, if none are."""

    def __init__(self, model: nn.Module, origin: Origin) -> None:
        super().__init__()
        # Frozen: the head is all that is ever fitted.
        self.model = model.eval().requires_grad_(False)
        self.name, self.fingerprint = origin.name, origin.fingerprint
        self.precision = origin.precision
        # Buffers, so that they go to the device with the network; they are not saved with it.
        for buffer, values in zip(("mean", "std"), origin.colours, strict=True):
            self.register_buffer(buffer, torch.tensor(values).view(3, 1, 1), persistent=False)

    @abstractmethod
    def forward(
        self, pixels: Float[Tensor, "batch 3 height width"], layer: int = -1, facet: Facet = "key"
    ) -> Features:
        """Features of images whose colours are in [0, 1]; they are normalised here.

        Layers count from 0, negative ones from the end.

        Raises:
            ConfigError: if there is no such layer or facet.
            InputError: if a side of the images is not a multiple of the patch.
        """

    @abstractmethod
    def embed(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float32[Tensor, "batch dim"]:
        """Embeddings of whole images, the feature that the network itself has learned for them.

        Colours are in [0, 1]; they are normalised here. Embeddings are compared by cosine.

        Raises:
            InputError: if a side of the images is not a multiple of the patch.
        """

    @abstractmethod
    def outputs(self, pixels: Float[Tensor, "batch 3 height width"]) -> Outputs:
        """Final output for each patch and for the whole image, of one pass through the network.

        Patches of a transformer are the tokens after the last LayerNorm, those of a pyramid the
        joined maps. Colours are in [0, 1]; they are normalised here.

        Raises:
            InputError: if a side of the images is not a multiple of the patch.
        """

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name!r}, patches of {self.patch} pixels, {self.dim} "
            f"features, {self.precision} on {self.mean.device})"
        )

    def train(self, mode: bool = True) -> "Encoder":
        """Stay in evaluation mode, whatever a module that holds this one is told."""
        return super().train(False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Encoder":
        refuse_other_numbers(fn)
        changed: Encoder = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return changed

    def _normalise(
        self, pixels: Float[Tensor, "batch 3 height width"]
    ) -> Float32[Tensor, "batch 3 height width"]:
        compute_after_fork()
        return (pixels.to(self.mean) - self.mean) / self.std

    def _layer_index(self, layer: int) -> int:
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

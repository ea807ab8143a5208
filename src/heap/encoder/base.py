"""Interface of every frozen encoder, whichever network it is made of."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from heap.base.errors import ConfigError, InputError
from heap.config import Facet
from heap.encoder.features import Features, Outputs
from heap.encoder.weights import Colour


@dataclass(frozen=True)
class Origin:
    """Where an encoder comes from, and how it is to be used."""

    name: str
    """Alias, hub name or folder that it was loaded by."""
    fingerprint: str
    """SHA-256 over its configuration and weights; says nothing about the precision."""
    precision: Literal["fp32", "bf16"]
    """In which the network computes; features are float32 in either case."""
    colours: tuple[Colour, Colour]
    """Mean and standard deviation that it was trained with."""


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
    """Rows of CLS attention."""
    embedding_dim: int
    """Width of what `embed` gives."""

    def __init__(self, model: nn.Module, origin: Origin) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.name, self.fingerprint = origin.name, origin.fingerprint
        self.precision = origin.precision
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
        """One feature for each whole image, the one that the network itself has learned.

        Colours are in [0, 1]; they are normalised here. Embeddings are compared by cosine.

        Raises:
            InputError: if a side of the images is not a multiple of the patch.
        """

    @abstractmethod
    def outputs(self, pixels: Float[Tensor, "batch 3 height width"]) -> Outputs:
        """The output for each patch and what `embed` gives, of one pass through the network.

        Of a transformer these are the patch tokens after the last LayerNorm, of a pyramid the
        joined maps. Colours are in [0, 1]; they are normalised here.

        Raises:
            InputError: if a side of the images is not a multiple of the patch.
        """

    def train(self, mode: bool = True) -> "Encoder":
        """Stay in evaluation mode, whatever a module that holds this one is told."""
        return super().train(False)

    def _normalised(
        self, pixels: Float[Tensor, "batch 3 height width"]
    ) -> Float32[Tensor, "batch 3 height width"]:
        return (pixels.to(self.mean) - self.mean) / self.std

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

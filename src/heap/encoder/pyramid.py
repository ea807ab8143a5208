"""Pyramids: networks whose maps get coarser from stage to stage."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from heap.base.errors import ConfigError, WeightsError, first_line
from heap.config import Facet
from heap.encoder.base import Encoder, Features, Origin, Outputs
from heap.encoder.stages import STRIDE, join_stages, pool

_PROBE = 64
"""Side in pixels of the image that shows which maps there are: no stride may be larger."""

_TEMPERATURE = 0.1
"""Temperature of the softmax that stands for CLS attention."""


class Pyramid(Encoder):
    """Encoder that is a pyramid: its only layer joins the maps of all strides from 8 on."""

    patch, layers, heads = STRIDE, 1, 1

    def __init__(self, model: nn.Module, origin: Origin) -> None:
        super().__init__(model, origin)
        # On a CPU, convolutions are quicker with the channels of a pixel side by side.
        convert_conv2d_weight_memory_format(self.model, torch.channels_last)
        self._coarsest, self.dim = self._probe()
        self.embedding_dim = self.embed(torch.zeros(1, 3, _PROBE, _PROBE)).shape[1]

    @torch.no_grad()
    def forward(
        self, pixels: Float[Tensor, "batch 3 height width"], layer: int = -1, facet: Facet = "key"
    ) -> Features:
        """Joined maps, see `join_stages`: each patch has unit length.

        There is no CLS token, so the mean patch stands for it: CLS attention is the softmax over
        patches of cos(patch, mean patch) / 0.1. `pixels` are colours in [0, 1]; they are
        normalised here. Images slimmer than the coarsest stride are continued to the right and
        downwards by their edge, and the patches there left out again.

        Raises:
            ConfigError: for another layer than 0 or -1, and for another facet than `token`.
            InputError: if a side of the images is not a multiple of 8.
        """
        self._layer_index(layer)
        self._check_facet(facet)
        patches = self.outputs(pixels).patches
        return Features(patches, _attend_by_mean(patches), self._grid(pixels))

    @torch.no_grad()
    def embed(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float32[Tensor, "batch dim"]:
        """Pooled output, or where there is none the mean of the last map; see `Encoder.embed`.

        Images slimmer than the coarsest stride are continued as in `forward`.
        """
        self._grid(pixels)  # refuses sides that are no multiples of the patch
        return pool(self._output(_pad_to(self._normalise(pixels), self._coarsest))).float()

    @torch.no_grad()
    def outputs(self, pixels: Float[Tensor, "batch 3 height width"]) -> Outputs:
        """Joined maps and the pooled output; see `Encoder.outputs`."""
        rows, cols = self._grid(pixels)
        pixels = _pad_to(self._normalise(pixels), self._coarsest)
        output = self._output(pixels)
        joined = join_stages(output.hidden_states, *pixels.shape[-2:])[..., :rows, :cols]
        return Outputs(joined.flatten(2).transpose(1, 2), pool(output).float())

    def _maps(self, pixels: Float32[Tensor, "batch 3 height width"]) -> tuple[Tensor, ...]:
        maps: tuple[Tensor, ...] = self._output(pixels).hidden_states
        return maps

    def _output(self, pixels: Float32[Tensor, "batch 3 height width"]) -> Any:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(pixels.device.type, torch.bfloat16, self.precision == "bf16"):
            return self.model(pixels, output_hidden_states=True)

    @torch.no_grad()
    def _probe(self) -> tuple[int, int]:
        """Coarsest stride, and width of the joined maps, by a few images of zeros.

        Raises:
            WeightsError: if the network cannot serve as a pyramid.
        """
        try:
            coarsest = _PROBE // self._maps(torch.zeros(1, 3, _PROBE, _PROBE))[-1].shape[-1]
            # Of several sizes, because the width must not depend on the size of the image.
            sides = (coarsest, _PROBE, 2 * _PROBE)
            joined = [
                join_stages(self._maps(torch.zeros(1, 3, side, side)), side, side) for side in sides
            ]
        except (RuntimeError, ValueError) as error:
            raise self._unfit(first_line(error)) from error
        widths = [features.shape[1] for features in joined]
        if len(set(widths)) > 1:
            raise self._unfit(f"images of {sides} pixels give {widths} channels")
        if not joined[-1].isfinite().all():
            raise self._unfit("its features are not finite")
        return coarsest, widths[0]

    def _unfit(self, reason: str) -> WeightsError:
        return WeightsError(
            f"encoder {self.name} cannot serve as a pyramid ({reason}); its maps need strides "
            f"from {STRIDE} to at most {_PROBE} pixels and its weights must be whole"
        )

    def _check_facet(self, facet: Facet) -> None:
        if facet != "token":
            raise ConfigError(
                f"encoder {self.name} is a pyramid and has no {facet}: use facet token "
                "(`heap fit --facet token`)"
            )


def _pad_to(
    pixels: Float32[Tensor, "batch 3 height width"], side: int
) -> Float32[Tensor, "batch 3 rows cols"]:
    """Continue images by their edge, to the right and downwards, up to a least side."""
    height, width = pixels.shape[-2:]
    return F.pad(pixels, (0, max(side - width, 0), 0, max(side - height, 0)), mode="replicate")


def _attend_by_mean(
    patches: Float32[Tensor, "batch patch dim"],
) -> Float32[Tensor, "batch 1 patch"]:
    mean = patches.mean(dim=1, keepdim=True)
    similarity = F.cosine_similarity(patches, mean, dim=-1)
    return (similarity / _TEMPERATURE).softmax(dim=-1)[:, None]

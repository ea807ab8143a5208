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
from heap.encoder.stages import STRIDE, choose_stages, join_maps, pool

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
        self.least_side, self._stages, self.dim = self._probe()
        self.embedding_dim = self.embed(torch.zeros(1, 3, _PROBE, _PROBE)).shape[1]

    @torch.no_grad()
    def forward(
        self, pixels: Float[Tensor, "batch 3 height width"], layer: int = -1, facet: Facet = "key"
    ) -> Features:
        """Joined maps, see `join_maps`: each patch has unit length.

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
        return pool(self._output(_pad_to(self._normalise(pixels), self.least_side))).float()

    @torch.no_grad()
    def outputs(self, pixels: Float[Tensor, "batch 3 height width"]) -> Outputs:
        """Joined maps and the pooled output; see `Encoder.outputs`."""
        rows, cols = self._grid(pixels)
        pixels = _pad_to(self._normalise(pixels), self.least_side)
        output = self._output(pixels)
        # Chosen once and not by the sizes of these maps, so that an exported graph takes any size.
        maps = [output.hidden_states[stage] for stage in self._stages]
        joined = join_maps(maps, *pixels.shape[-2:])[..., :rows, :cols]
        return Outputs(joined.flatten(2).transpose(1, 2), pool(output).float())

    def _maps(self, pixels: Float32[Tensor, "batch 3 height width"]) -> tuple[Tensor, ...]:
        maps: tuple[Tensor, ...] = self._output(pixels).hidden_states
        return maps

    def _output(self, pixels: Float32[Tensor, "batch 3 height width"]) -> Any:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(pixels.device.type, torch.bfloat16, self.precision == "bf16"):
            return self.model(pixels, output_hidden_states=True)

    @torch.no_grad()
    def _probe(self) -> tuple[int, list[int], int]:
        """Coarsest stride, joined maps and their width, by a few images of zeros.

        Raises:
            WeightsError: if the network cannot serve as a pyramid.
        """
        try:
            maps = self._maps(torch.zeros(1, 3, _PROBE, _PROBE))
            coarsest = _PROBE // maps[-1].shape[-1]
            stages = choose_stages([plane.shape[-2:] for plane in maps], _PROBE, _PROBE)
            # Of several sizes, because neither may depend on the size of the image.
            for side in (coarsest, 2 * _PROBE):
                others = self._maps(torch.zeros(1, 3, side, side))
                others_stages = choose_stages([plane.shape[-2:] for plane in others], side, side)
                if others_stages != stages:
                    raise self._unfit(f"images of {side} pixels have other strides than {_PROBE}")
            joined = join_maps([maps[stage] for stage in stages], _PROBE, _PROBE)
        except (RuntimeError, ValueError) as error:
            raise self._unfit(first_line(error)) from error
        if not joined.isfinite().all():
            raise self._unfit("its features are not finite")
        return coarsest, stages, joined.shape[1]

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
    if height >= side and width >= side:
        return pixels  # Exporters get the sizes wrong that follow from a padding by nothing.
    return F.pad(pixels, (0, max(side - width, 0), 0, max(side - height, 0)), mode="replicate")


def _attend_by_mean(
    patches: Float32[Tensor, "batch patch dim"],
) -> Float32[Tensor, "batch 1 patch"]:
    mean = patches.mean(dim=1, keepdim=True)
    similarity = F.cosine_similarity(patches, mean, dim=-1)
    return (similarity / _TEMPERATURE).softmax(dim=-1)[:, None]

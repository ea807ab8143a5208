"""Maps of a pyramid, one for each stride, joined into one feature vector a patch."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

STRIDE = 8
"""Side of a patch of the joined features, in pixels; finer maps are left out."""


def join_stages(
    maps: Sequence[Float[Tensor, "batch _channel _rows _cols"]], height: int, width: int
) -> Float[Tensor, "batch dim grid_h grid_w"]:
    """Join the last map of each stride from `STRIDE` on, finest first, on the grid of `STRIDE`.

    See `choose_stages` and `join_maps`; `height` and `width` are those of the input of the pyramid,
    in pixels.

    Raises:
        ValueError: if every map is finer than `STRIDE`.
    """
    chosen = choose_stages([plane.shape[-2:] for plane in maps], height, width)
    return join_maps([maps[place] for place in chosen], height, width)


def choose_stages(sizes: Sequence[Sequence[int]], height: int, width: int) -> list[int]:
    """Places of the last map of each stride from `STRIDE` on, finest first.

    `sizes` are rows and columns of the maps, in the order in which the pyramid computes them;
    `height` and `width` are those of its input, in pixels, multiples of `STRIDE` and at least the
    coarsest stride: maps of different strides are told apart by their size alone.

    Raises:
        ValueError: if every map is finer than `STRIDE`.
    """
    grid = (height // STRIDE, width // STRIDE)
    # A later map of the same size replaces an earlier one: it has seen more layers.
    last = {
        (rows, cols): place
        for place, (rows, cols) in enumerate(sizes)
        if rows <= grid[0] and cols <= grid[1]
    }
    if not last:
        raise ValueError(f"no map has a stride of {STRIDE} pixels or more")
    return list(last.values())


def join_maps(
    maps: Sequence[Float[Tensor, "batch _channel _rows _cols"]], height: int, width: int
) -> Float[Tensor, "batch dim grid_h grid_w"]:
    """Join maps on the grid of `STRIDE` of an input of this size, in pixels.

    A map is resized bilinearly, scaled to unit length over its channels, and weighted so that a
    joined patch has unit length.
    """
    grid = (height // STRIDE, width // STRIDE)
    # Unit length each, or the stage with the largest activations would drown the others.
    units = [F.normalize(_resize(plane.float(), grid), dim=1) for plane in maps]
    return torch.cat(units, dim=1) / sqrt(len(units))


def pool(output: Any) -> Float[Tensor, "batch width"]:
    """Feature of the whole image: the pooled output, or where there is none the mean patch.

    `output` is the output of a model of transformers, with its hidden states.
    """
    whole: Tensor | None = output.get("pooler_output")
    return output.hidden_states[-1].mean((-2, -1)) if whole is None else whole.flatten(1)


def _resize(
    values: Float[Tensor, "batch channel rows cols"], grid: tuple[int, int]
) -> Float[Tensor, "batch channel grid_h grid_w"]:
    if values.shape[-2:] == grid:
        return values
    resized: Tensor = F.interpolate(values, size=grid, mode="bilinear", align_corners=False)
    return resized

"""Tracing of networks into programs that take any number of images of any size."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from heap.encoder.base import Encoder
from heap.encoder.precision import usual_state

_BEYOND = 6
"""Patches along a side of the images that a network is traced with, beyond the fewest."""
Shape = dict[int, Dim]
"""Sides of a tensor, by their place, that are other ones at each call."""


@dataclass(frozen=True)
class ImageSizes:
    """Sizes that the images of a program may have, and those that it is traced with."""

    batch: Dim
    rows: Dim
    """Patches of the height."""
    cols: Dim
    """Patches of the width."""
    grid: tuple[int, int]
    """Rows and columns of patches of the images that it is traced with."""

    @classmethod
    def of(cls, encoder: Encoder) -> "ImageSizes":
        """Sizes of images from `least_side` on."""
        least = least_side(encoder) // encoder.patch
        rows, cols = Dim("rows", min=least), Dim("cols", min=least)
        return cls(Dim("batch"), rows, cols, (least + _BEYOND, least + _BEYOND + 1))


def least_side(encoder: Encoder) -> int:
    """Side in pixels that the images of a program have at least."""
    # A pyramid continues slimmer images by their edge, which would make another program. And a side
    # of one patch is never another number for torch, but repeated along whatever is longer.
    return max(encoder.least_side, 2 * encoder.patch)


def trace(
    network: nn.Module, inputs: tuple[Tensor, ...], shapes: tuple[Shape, ...]
) -> ExportedProgram:
    """Program of a network for inputs of these kinds, whose sides may vary as `shapes` says."""
    with usual_state(), torch.no_grad():
        return torch.export.export(network, inputs, dynamic_shapes=shapes, strict=False)


@contextmanager
def quiet_exporters() -> Iterator[None]:
    """Keep what exporters say of their own parts from the user, who can do nothing about it."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "root")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

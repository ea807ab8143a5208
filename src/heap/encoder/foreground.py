"""Layer by which an encoder that `heap pretrain` made tells foreground."""

from pathlib import Path

from torch import nn

from heap.base.errors import ConfigError, WeightsError
from heap.encoder.base import Encoder
from heap.encoder.files import FOREGROUND_BIAS, FOREGROUND_WEIGHT, HEADS
from heap.encoder.pyramid import Pyramid
from heap.encoder.registry import has_foreground, resolve
from heap.encoder.state import read_state


def knows_foreground(encoder: Encoder) -> bool:
    """Whether pretraining put such a layer on the encoder."""
    path = _find_heads(encoder)
    return path is not None and has_foreground(path)


def foreground_layer(encoder: Encoder) -> nn.Linear:
    """Layer that pretraining put on the features of a pyramid, from features to logits.

    It takes features of length √dim. The layer of a vision transformer is of no use here: it takes
    the normalised output of the last block, which is none of the features.

    Raises:
        ConfigError: if the encoder has no such layer.
        WeightsError: if its file is damaged.
    """
    path = _find_heads(encoder)
    if path is None:
        raise ConfigError(
            f"encoder {encoder.name} is no pyramid that `heap pretrain` made, so it has no idea of "
            "foreground; choose another --prior"
        )
    state = read_state(path)
    shapes = {
        name: tuple(state[name].shape)
        for name in (FOREGROUND_WEIGHT, FOREGROUND_BIAS)
        if name in state
    }
    if shapes != {FOREGROUND_WEIGHT: (1, encoder.dim), FOREGROUND_BIAS: (1,)}:
        raise WeightsError(
            f"{path} holds no {FOREGROUND_WEIGHT} and {FOREGROUND_BIAS} for {encoder.dim} channels "
            f"(but {shapes}); choose another --prior"
        )
    layer = nn.Linear(encoder.dim, 1)
    layer.load_state_dict(
        {"weight": state[FOREGROUND_WEIGHT].float(), "bias": state[FOREGROUND_BIAS].float()}
    )
    return layer.requires_grad_(False)


def _find_heads(encoder: Encoder) -> Path | None:
    """File of the heads that a pyramid was pretrained with; None where there is none."""
    # A hub name is a string; only `heap pretrain` writes heads, and only into folders.
    place = resolve(encoder.name)
    path = place / HEADS if isinstance(place, Path) else None
    usable = path is not None and path.is_file() and isinstance(encoder, Pyramid)
    return path if usable else None

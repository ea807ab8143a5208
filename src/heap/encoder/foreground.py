"""What an encoder that `heap pretrain` made calls foreground."""

from pathlib import Path

from torch import nn

from heap.base.errors import ConfigError, WeightsError
from heap.encoder.base import Encoder
from heap.encoder.files import FOREGROUND_BIAS, FOREGROUND_WEIGHT, HEADS
from heap.encoder.pyramid import Pyramid
from heap.encoder.registry import resolve
from heap.encoder.weights import read_state


def knows_foreground(encoder: Encoder) -> bool:
    """Whether pretraining put such a layer on it."""
    path = _heads(encoder)
    if path is None:
        return False
    return {FOREGROUND_WEIGHT, FOREGROUND_BIAS} <= read_state(path).keys()


def foreground_layer(encoder: Encoder) -> nn.Linear:
    """The layer that pretraining put on the features of a pyramid; gives logits.

    It takes features of length √dim. That of a vision transformer is not given: it stands on the
    normalised output of the last block, which is none of the features here.

    Raises:
        ConfigError: if the encoder has none.
        WeightsError: if its file is damaged.
    """
    path = _heads(encoder)
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


def _heads(encoder: Encoder) -> Path | None:
    """File of what a pyramid was pretrained with; None where there is none."""
    place = resolve(encoder.name)
    path = place / HEADS if isinstance(place, Path) else None
    usable = path is not None and path.is_file() and isinstance(encoder, Pyramid)
    return path if usable else None

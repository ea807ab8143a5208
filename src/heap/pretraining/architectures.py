"""Architectures that can be pretrained: models of transformers that need no code from elsewhere."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from heap.base.errors import InputError
from heap.base.files import read_object
from heap.encoder.files import PREPROCESSOR
from heap.encoder.quiet import quietly

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "resnet": {
        "model_type": "resnet",
        "embedding_size": 32,
        "hidden_sizes": [32, 64, 128, 256],
        "depths": [2, 2, 2, 2],
        "layer_type": "basic",
    },
    "vit": {
        "model_type": "vit",
        "hidden_size": 192,
        "num_hidden_layers": 6,
        "num_attention_heads": 3,
        "intermediate_size": 768,
        "patch_size": 8,
        "image_size": 128,
        "layer_norm_eps": 1e-6,
    },
    "segformer": {
        "model_type": "segformer",
        "hidden_sizes": [32, 64, 128, 192],
        "depths": [2, 2, 2, 2],
        "sr_ratios": [8, 4, 2, 1],
        "num_attention_heads": [1, 2, 4, 6],
    },
}
"""Configurations by name; all have patches of 8 pixels and between 2 and 3 million weights."""

_STAGES = ("out_features", "out_indices", "stage_names")
"""Fields of configurations that follow from the number of blocks."""
MEAN = STD = 0.5
"""Mean and deviation that colours in [0, 1] are normalised by, in every channel."""


def new_model(architecture: str) -> PreTrainedModel:
    """Build a model with random weights.

    Raises:
        InputError: if there is no such architecture, or its config.json describes no model.
    """
    return _build(_configuration(architecture))


def load_model(folder: Path, blocks: int | None = None) -> PreTrainedModel:
    """Load the model in a folder, with its weights; of a transformer the first `blocks` alone.

    It takes colours as all that is trained here does, whatever the folder says of its own.

    Raises:
        InputError: if it cannot be loaded, weights are missing, or it has no such blocks.
    """
    config = _configuration(str(folder))
    try:
        with quietly():
            model, info = AutoModel.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
                **_options(config),
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"the weights in {folder} cannot be loaded: {error}") from error
    # Transformers only warns of missing weights, and takes random ones.
    if missing := sorted(name for name in info["missing_keys"] if "mask_token" not in name):
        raise InputError(f"the weights in {folder} are incomplete: {', '.join(missing[:5])}")
    loaded: PreTrainedModel = model
    if blocks is not None:
        _cut(loaded, blocks)
    _take_our_colours(loaded, folder)
    return loaded


def find_teacher_blocks(start: Path | None, teacher: Path | None) -> Path:
    """Folder of the encoder whose first blocks a student begins as.

    It is the teacher, or `start`, a student that began so and is taught further.

    Raises:
        InputError: if there is no teacher, or no such folder of it.
    """
    if teacher is None:
        raise InputError("--teacher-blocks are blocks of the encoder that --teacher names")
    if start is not None:
        return start
    if not teacher.is_dir():
        raise InputError(f"{teacher} is an original checkpoint: to begin with its blocks, name a "
                         "folder in the layout of transformers")  # fmt: skip
    return teacher


def _cut(model: PreTrainedModel, blocks: int) -> None:
    """Take all blocks of a transformer away but the first."""
    values = model.config.to_dict()
    depth = values.get("num_hidden_layers")
    stacks = [part for part in model.modules()
              if isinstance(part, nn.ModuleList) and len(part) == depth]  # fmt: skip
    if len(stacks) != 1:
        raise InputError(f"a {model.config.model_type} has no row of blocks to begin with")
    if not 1 <= blocks <= len(stacks[0]):
        raise InputError(f"it has {depth} blocks: {blocks} cannot be the first of them")
    del stacks[0][blocks:]
    kept = {name: value for name, value in values.items() if name not in _STAGES}
    model.config = type(model.config)(**kept | {"num_hidden_layers": blocks})


@torch.no_grad()
def _take_our_colours(model: PreTrainedModel, folder: Path) -> None:
    """Let the first convolution undo our normalisation of colours, and do the model's own.

    At the border, where convolutions of some pyramids meet zeros, this is not quite the same.
    """
    path = folder / PREPROCESSOR
    values = read_object(path) if path.is_file() else {}
    mean, std = (
        torch.tensor(values.get(name) or [ours] * 3)
        for name, ours in (("image_mean", MEAN), ("image_std", STD))
    )
    stem = next((part for part in model.modules() if isinstance(part, nn.Conv2d)), None)
    scale, shift = STD / std, (MEAN - mean) / std
    if stem is None or stem.in_channels != len(scale) or (scale.eq(1) & shift.eq(0)).all():
        return
    added = (stem.weight * shift[:, None, None]).sum(dim=(1, 2, 3))
    stem.bias = nn.Parameter(added if stem.bias is None else stem.bias + added)
    stem.weight.mul_(scale[:, None, None])


def _build(config: PretrainedConfig) -> PreTrainedModel:
    # In float32, though the configuration of an encoder that was made here asks for half precision.
    maker: Any = AutoModel  # Any: its functions are not annotated
    model: PreTrainedModel = maker.from_config(
        config, trust_remote_code=False, dtype=torch.float32, **_options(config)
    )
    return model


def _options(config: PretrainedConfig) -> dict[str, bool]:
    # No loss would train a pooler, and `heap.encoder` has no use for one.
    return {"add_pooling_layer": False} if config.model_type == "vit" else {}


def _configuration(architecture: str) -> PretrainedConfig:
    if architecture in ARCHITECTURES:
        return AutoConfig.for_model(**ARCHITECTURES[architecture])
    folder = Path(architecture)
    if not (folder / "config.json").is_file():
        raise InputError(
            f"there is no architecture {architecture!r}: it is one of "
            f"{', '.join(ARCHITECTURES)}, or a folder with a config.json of transformers"
        )
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'config.json'} describes no model: {error}") from error
    return config

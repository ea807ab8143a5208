"""Architectures that can be pretrained: models of transformers that need no code from elsewhere."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from heap.base.errors import InputError
from heap.encoder.quiet import without_bars

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

MEAN = STD = 0.5
"""Mean and deviation that colours in [0, 1] are normalised by, in every channel."""


def new_model(architecture: str) -> PreTrainedModel:
    """Build a model with random weights.

    Raises:
        InputError: if there is no such architecture, or its config.json describes no model.
    """
    return _build(_configuration(architecture))


def load_model(folder: Path) -> PreTrainedModel:
    """Load the model in a folder, with its weights.

    Raises:
        InputError: if it cannot be loaded, or weights are missing.
    """
    config = _configuration(str(folder))
    try:
        with without_bars():
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
    return loaded


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

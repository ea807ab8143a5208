import json
from pathlib import Path
from typing import Any

import pytest
import torch
from preprocessors import add_preprocessor
from safetensors.torch import save_file
from torch import Tensor
from transformers import ViTConfig, ViTModel

CONFIG: dict[str, Any] = {
    "model_type": "vit",
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 16,
    "patch_size": 8,
    "image_size": 16,
}


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Random weights of a tiny vision transformer."""
    model = ViTModel(ViTConfig(**CONFIG), add_pooling_layer=False)
    generator = torch.Generator().manual_seed(1)
    return {
        name: 0.3 * torch.randn(value.shape, generator=generator)
        for name, value in model.state_dict().items()
    }


@pytest.fixture
def folder(tmp_path: Path, state: dict[str, Tensor]) -> Path:
    """A folder with that transformer, as transformers would save it."""
    place = tmp_path / "tiny"
    place.mkdir()
    (place / "config.json").write_text(json.dumps(CONFIG))
    save_file(state, place / "model.safetensors")
    add_preprocessor(place)
    return place

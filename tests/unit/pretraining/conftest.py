import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from preprocessors import add_preprocessor

from heap.images import Picture
from heap.pretraining.architectures import new_model
from heap.pretraining.config import TAUGHT, PretrainConfig
from heap.pretraining.loop import run
from heap.pretraining.photos import Photos

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "resnet": {
        "embedding_size": 8, "hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1],
        "layer_type": "basic",
    },
    "vit": {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 32, "patch_size": 8, "image_size": 32,
    },
    "segformer": {
        "hidden_sizes": [8, 8, 16, 16], "depths": [1, 2, 1, 1], "sr_ratios": [8, 4, 2, 1],
        "num_attention_heads": [1, 1, 2, 2], "drop_path_rate": 0.5,
    },
    "convnext": {"hidden_sizes": [4, 4, 8, 8], "depths": [1, 1, 1, 1], "patch_size": 4},
    "dinov3_convnext": {"hidden_sizes": [4, 4, 8, 8], "depths": [1, 1, 1, 1]},
    "dinov2": {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_ratio": 2,
        "patch_size": 14, "image_size": 28,
    },
}  # fmt: skip

Architecture = Callable[..., str]
Config = Callable[..., PretrainConfig]


@pytest.fixture(scope="session")
def architecture(tmp_path_factory: pytest.TempPathFactory) -> Architecture:
    """Folder with the config.json of a tiny model of the kind that is named."""

    def write(kind: str, **changes: Any) -> str:
        folder = tmp_path_factory.mktemp(kind)
        values = {"model_type": kind} | ARCHITECTURES.get(kind, {}) | changes
        (folder / "config.json").write_text(json.dumps(values))
        return str(folder)

    return write


@pytest.fixture(scope="session")
def tiny(architecture: Architecture) -> Config:
    """Settings of a pretraining of a second, with changes."""
    resnet = architecture("resnet")

    def make(**changes: Any) -> PretrainConfig:
        values: dict[str, Any] = {
            "architecture": resnet, "steps": 5, "batch": 4, "crop": 32, "local_crop": 32,
            "global_crops": 2, "local_crops": 1, "prototypes": 8, "checkpoint_every": 2,
            "image_weight": 1.0, "patch_weight": 1.0, "dense_weight": 1.0,
        }  # fmt: skip
        return PretrainConfig(**values | changes)

    return make


@pytest.fixture(scope="session")
def taught(tiny: Config) -> Config:
    """Settings of a training by a teacher alone, which sees squares of 56 pixels."""

    def make(**changes: Any) -> PretrainConfig:
        values = {"image_weight": 0.0, "patch_weight": 0.0, "teacher_resolution": 56}
        return tiny(**values | TAUGHT | changes)

    return make


@pytest.fixture(scope="session")
def teachers(architecture: Architecture, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Folders of a vision transformer and of a pyramid, tiny and with random weights."""
    folders = []
    for kind in ("dinov2", "resnet"):
        folders.append(str(tmp_path_factory.mktemp("teacher") / kind))
        torch.manual_seed(5)
        new_model(architecture(kind)).save_pretrained(folders[-1])
        add_preprocessor(Path(folders[-1]))
    return folders


@pytest.fixture(scope="session")
def squares(pictures: list[Picture]) -> Photos:
    """The photos as squares, and as their priors whether a pixel is brighter than most."""
    pixels, priors = [], []
    for picture in pictures:
        image = Image.fromarray(picture.pixels)
        pixels.append(np.asarray(image.resize((48, 48))).transpose(2, 0, 1))
        grey = np.asarray(image.convert("L").resize((12, 12)))
        priors.append((grey > np.median(grey)).astype(np.float32))
    return Photos.from_rgb(torch.from_numpy(np.stack(pixels)), torch.from_numpy(np.stack(priors)))


@pytest.fixture(scope="session")
def whole(tiny: Config, squares: Photos, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that was pretrained without interruption; not to be changed."""
    folder = tmp_path_factory.mktemp("pretrained")
    run(squares, folder, tiny(), lambda progress, losses: None)
    return folder

"""The published encoders with random weights: what can be tried of them without their weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from heap.encoder.files import PREPROCESSOR


@dataclass(frozen=True)
class Published:
    """The class of a published encoder in transformers, and the numbers of its config.json."""

    family: str
    """Name of the class, without Config and Model."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Values that are not the defaults of the class."""

    def config(self) -> PreTrainedConfig:
        """Its configuration."""
        kind: Any = getattr(transformers, f"{self.family}Config")
        config: PreTrainedConfig = kind(**self.values)
        return config

    def model(self) -> PreTrainedModel:
        """The model with the weights that it has before any training."""
        kind: Any = getattr(transformers, f"{self.family}Model")
        model: PreTrainedModel = kind(self.config())
        return model

    def write(self, folder: Path, seed: int = 0) -> None:
        """Write the model as the hub has it: older key names, a pooler, a preprocessor."""
        switch: Any = logging  # Any: its functions are not annotated
        switch.disable_progress_bar()
        torch.manual_seed(seed)
        self.model().save_pretrained(folder)
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        colours = {"image_mean": mean, "image_std": std, "size": {"height": 224, "width": 224}}
        (folder / PREPROCESSOR).write_text(json.dumps(colours), encoding="utf-8")


_SMALL = {"hidden_size": 384, "num_attention_heads": 6}
_BASE = {"hidden_size": 768, "num_attention_heads": 12}
_LARGE = {"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24}


def _dino(size: Mapping[str, int], patch: int) -> Published:
    hidden = 4 * size["hidden_size"]
    return Published("ViT", {**size, "intermediate_size": hidden, "patch_size": patch})


def _dinov2(size: Mapping[str, int], *, registers: bool) -> Published:
    family = "Dinov2WithRegisters" if registers else "Dinov2"
    return Published(family, {**size, "patch_size": 14, "image_size": 518})


def _dinov3(size: Mapping[str, int]) -> Published:
    hidden = 4 * size["hidden_size"]
    return Published("DINOv3ViT", {**size, "intermediate_size": hidden, "num_register_tokens": 4})


PUBLISHED: dict[str, Published] = {
    "dino-vits8": _dino(_SMALL, 8),
    "dino-vits16": _dino(_SMALL, 16),
    "dino-vitb8": _dino(_BASE, 8),
    "dino-vitb16": _dino(_BASE, 16),
    "dinov2-vits14": _dinov2(_SMALL, registers=False),
    "dinov2-vitb14": _dinov2(_BASE, registers=False),
    "dinov2-vitl14": _dinov2(_LARGE, registers=False),
    "dinov2-vits14-reg": _dinov2(_SMALL, registers=True),
    "dinov2-vitb14-reg": _dinov2(_BASE, registers=True),
    "dinov2-vitl14-reg": _dinov2(_LARGE, registers=True),
    "dinov3-vits16": _dinov3(_SMALL),
    "dinov3-vitb16": _dinov3(_BASE),
    "dinov3-convnext-tiny": Published("DINOv3ConvNext"),
}
"""By their alias."""

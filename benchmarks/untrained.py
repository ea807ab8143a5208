"""What training is worth: the embedded architecture with random weights, fitted in the same way."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel

from benchmarks.common import run_heap
from heap.encoder.registry import EMBEDDED
from heap.model.heap import ModelConfig


def untrained_model(
    config: ModelConfig, images: Path, work: Path, seed: int, limit: int | None
) -> Path:
    """Fit a head on the embedded architecture with random weights, by the embedded recipe."""
    encoder, model, settings = work / "random-encoder", work / "random-model", work / "recipe.json"
    write_encoder(encoder, seed)
    features = asdict(config.features)
    del features["encoder"]
    recipe = config.provenance
    fitting = recipe["fit"] | {"images": min(limit or 10**6, recipe["fit"]["images"])}
    values = {"features": features, "head": asdict(config.head), "losses": recipe["losses"]}
    settings.write_text(json.dumps(values | {"fit": fitting}), encoding="utf-8")
    arguments = ("--encoder", encoder, "--settings", settings, "--cache", work / "cache")
    run_heap("fit", images, "--out", model, *arguments)
    return model


def write_encoder(folder: Path, seed: int) -> None:
    """Write an encoder with the embedded configuration and weights as they are before training."""
    torch.manual_seed(seed)
    kind: Any = AutoModel  # Any: its constructors are not annotated
    kind.from_config(AutoConfig.from_pretrained(EMBEDDED)).save_pretrained(folder)
    preprocessor = EMBEDDED / "preprocessor_config.json"
    if preprocessor.is_file():
        (folder / preprocessor.name).write_bytes(preprocessor.read_bytes())

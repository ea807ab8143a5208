"""Effect of training: the embedded architecture with random weights, fitted in the same way."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel

from benchmarks.common import run_heap
from heap.encoder.registry import packaged_encoder
from heap.model.saved import ModelConfig


def untrained_model(
    config: ModelConfig, images: Path, work: Path, seed: int, limit: int | None
) -> Path:
    """Fit a head on the embedded architecture with random weights, by the embedded recipe."""
    encoder, model = work / "random-encoder", work / "random-model"
    write_encoder(encoder, seed)
    config = by_colour(config)
    fit_by_recipe(config, str(encoder), images, model, config.provenance["fit"]["seed"], limit)
    return model


def by_colour(config: ModelConfig) -> ModelConfig:
    """The same with colour alone for a prior: an untrained encoder has no idea of foreground."""
    losses = config.provenance["losses"] | {"prior": "boundary"}
    return replace(config, provenance=config.provenance | {"losses": losses})


def fit_by_recipe(
    config: ModelConfig, encoder: str, images: Path, model: Path, seed: int, limit: int | None
) -> None:
    """Fit a head on `encoder` in the way in which the head with `config` was fitted."""
    features = asdict(config.features)
    del features["encoder"]
    recipe = config.provenance
    fitting = recipe["fit"] | {"images": min(limit or 10**6, recipe["fit"]["images"])}
    fitting |= {"seed": seed}
    values = {"features": features, "head": asdict(config.head), "losses": recipe["losses"]}
    settings = model.with_name(f"{model.name}.json")
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(values | {"fit": fitting}), encoding="utf-8")
    arguments = ("--encoder", encoder, "--settings", settings, "--cache", model.parent / "cache")
    run_heap("fit", images, "--out", model, *arguments)


def write_encoder(folder: Path, seed: int) -> None:
    """Write an encoder with the embedded configuration and weights as they are before training."""
    torch.manual_seed(seed)
    kind: Any = AutoModel  # Any: its constructors are not annotated
    kind.from_config(
        AutoConfig.from_pretrained(packaged_encoder("embedded-small"))
    ).save_pretrained(folder)
    preprocessor = packaged_encoder("embedded-small") / "preprocessor_config.json"
    if preprocessor.is_file():
        (folder / preprocessor.name).write_bytes(preprocessor.read_bytes())

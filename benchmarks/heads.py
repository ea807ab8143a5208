"""Heads that are fitted as the packaged small one was, and scored by `heap evaluate`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel

import heap
from benchmarks.scoring import Scores
from heap.config import FeatureConfig
from heap.encoder.registry import packaged_encoder
from heap.model.saved import ModelConfig

_PLAIN, _GUIDED, _BOX = "saliency-found-v1", "saliency-found-v1-guided", "corloc-found-v1"


def score_head(out: Path, features: FeatureConfig, data: str, **options: Any) -> dict[str, Scores]:
    """Scores of HEAP by image; what is there is not done again.

    Args:
        out: Result of `heap evaluate`.
        features: The encoder and its features.
        data: Data set as `heap evaluate --data` takes it.
        options: Others of `heap.evaluate`, such as the model or what it is to be fitted on.
    """
    results = heap.evaluate(
        [_PLAIN, _GUIDED, _BOX],
        data=data,
        methods=["heap"],
        out=out,
        features=features,
        cache=out.parent / "cache",
        **options,
    )[out]
    plain, guided, hits = map(results.scores_of, (_PLAIN, _GUIDED, _BOX))
    return {
        image: {
            "iou": row["iou"],
            "accuracy": row["accuracy"],
            "iou_refined": guided[image]["iou"],
            "corloc": hits[image]["corloc"],
        }
        for image, row in plain.items()
    }


def recipe_of(config: ModelConfig) -> dict[str, Any]:
    """Settings by which the head with `config` was fitted, but for those of the features."""
    return {
        "head": asdict(config.head),
        "losses": config.provenance["losses"],
        "fit": config.provenance["fit"],
    }


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

"""Model that costs next to nothing: a vision transformer without training, and a head fitted on it.

It is for studies of everything around a model. What it finds are no objects that a person sees, but
they are the same in every run.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from heap.config import FeatureConfig, FitConfig, HeadConfig, LossConfig
from heap.fitting.command import fit

SETTINGS = {"crop": 32, "min_score": 0.0, "min_area": 0.0, "save": []}
"""Settings of `heap.discover` that suit it: everything is an object, embedded as a small crop."""
_RESOLUTION = 64


def make_stub(folder: Path, photos: Sequence[Path]) -> Path:
    """Fit a head on some photos, with an encoder of 24 channels; returns the folder of the model.

    One that is there already is taken.
    """
    if not (folder / "model" / "config.json").exists():
        write_encoder(folder / "encoder")
        fit(
            list(photos),
            folder / "model",
            features=FeatureConfig(
                encoder=str(folder / "encoder"), resolution=_RESOLUTION, cues=("colour", "boundary")
            ),
            head=HeadConfig(groups=4, blocks=1, heads=2, width=16),
            losses=LossConfig(prior="boundary"),
            config=FitConfig(steps=60, batch=6, learning_rate=1e-2, checkpoint_every=10),
            precision="fp32",
            cache=folder / "features",
        )
    return folder / "model"


def write_encoder(folder: Path) -> None:
    """Write a tiny vision transformer with random weights, always the same ones."""
    import torch
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48,
        patch_size=8, image_size=_RESOLUTION,
    )  # fmt: skip
    model = ViTModel(config, add_pooling_layer=False)
    generator = torch.Generator().manual_seed(5)
    for weight in model.parameters():
        if weight.ndim > 1:
            weight.data = 0.2 * torch.randn(weight.shape, generator=generator)
    model.save_pretrained(folder)
    colours = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    (folder / "preprocessor_config.json").write_text(json.dumps(colours), encoding="utf-8")

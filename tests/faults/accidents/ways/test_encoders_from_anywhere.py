"""Way in 4: encoders as others have saved them."""

from pathlib import Path

import pytest
import torch
from originals import checkpoint, draw, shapes

from .conftest import Program


@pytest.mark.way(4, "A classification checkpoint was refused, for its head")
@pytest.mark.parametrize("kind", ["ViT", "Dinov2"])
def test_classification_checkpoints(program: Program, kind: str) -> None:
    program(f"""
        import shutil, transformers
        config = transformers.{kind}Config(
            hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48,
            mlp_ratio=2, patch_size=8, image_size=64, num_labels=5,
        )
        transformers.{kind}ForImageClassification(config).save_pretrained("classifier")
        shutil.copy(encoder + "/preprocessor_config.json", "classifier")
        assert fit(photos, "classifier").config.provenance
    """)


@pytest.mark.way(4, "Sizes as lists, as some write them in config.json, were refused")
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("ViT", {"patch_size": [8, 8]}),
        ("Dinov2", {"mlp_ratio": 4.0}),
        ("ViT", {"image_size": [64, 32]}),
    ],
    ids=["patch_size is a list", "mlp_ratio is a float", "not square"],
)
def test_values_of_configurations(program: Program, kind: str, values: dict[str, object]) -> None:
    program(f"""
        import json, shutil, transformers
        values = {values!r}
        config = transformers.{kind}Config(
            hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48,
            patch_size=8, image_size=64,
        )
        if "image_size" in values:
            config.image_size = values["image_size"]
        transformers.{kind}Model(config).save_pretrained("other")
        written = json.loads(Path("other/config.json").read_text())
        Path("other/config.json").write_text(json.dumps(written | values))
        shutil.copy(encoder + "/preprocessor_config.json", "other")
        assert fit(photos, "other").config.provenance
    """)


@pytest.mark.way(4, "Weights as DINO and DINOv2 were published, in one .pth, were refused")
@pytest.mark.parametrize("v2", [False, True], ids=["dino", "dinov2"])
@pytest.mark.parametrize("whole", [False, True], ids=["state", "teacher"])
def test_original_weights(program: Program, tmp_path: Path, v2: bool, whole: bool) -> None:
    state = draw(shapes(64, 2, 14 if v2 else 8, 4, v2=v2))
    torch.save(checkpoint(state) if whole else state, tmp_path / "published.pth")
    program("assert fit(photos, 'published.pth').config.provenance")

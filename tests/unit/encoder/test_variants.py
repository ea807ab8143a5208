"""Folders as others save them: with a head, with sizes written otherwise, of oblong images."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from preprocessors import add_preprocessor
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .folders import change_config, load, refusal

SIZES: dict[str, Any] = {
    "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "patch_size": 8,
}  # fmt: skip
STAGES: dict[str, Any] = {"hidden_sizes": [4, 8, 12, 16], "depths": [1, 1, 1, 1]}
FAMILIES: dict[str, dict[str, Any]] = {
    "ViT": SIZES | {"intermediate_size": 16},
    "Dinov2": SIZES | {"mlp_ratio": 2},
    "Dinov2WithRegisters": SIZES | {"mlp_ratio": 2},
    "ResNet": STAGES | {"embedding_size": 4, "layer_type": "basic"},
    "ConvNext": STAGES,
    "Segformer": STAGES | {"num_attention_heads": [1, 2, 3, 4]},
}
TRANSFORMERS = ("ViT", "Dinov2", "Dinov2WithRegisters")


def build(family: str, kind: str, folder: Path, **changes: Any) -> nn.Module:
    """A random model of transformers, saved as it saves it."""
    config = getattr(transformers, f"{family}Config")(**FAMILIES[family] | changes)
    torch.manual_seed(4)
    model = getattr(transformers, f"{family}{kind}")(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape))
    model.save_pretrained(folder)
    add_preprocessor(folder)
    assert isinstance(model, nn.Module)
    return model


def pixels(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_is_loaded_without_its_head(family: str, tmp_path: Path) -> None:
    size = {"image_size": 32} if family in TRANSFORMERS else {}
    whole = build(family, "ForImageClassification", tmp_path / "whole", num_labels=5, **size)
    base: Any = getattr(whole, str(whole.base_model_prefix))
    base.save_pretrained(tmp_path / "base")
    add_preprocessor(tmp_path / "base")
    image = pixels(64, 96)
    alone, headless = (load(tmp_path / name) for name in ("base", "whole"))
    assert torch.equal(headless(image, facet="token").patches, alone(image, facet="token").patches)


def test_what_masked_training_decodes_with_is_left_out_too(tmp_path: Path) -> None:
    build("ViT", "ForMaskedImageModeling", tmp_path, image_size=32, encoder_stride=8)
    assert load(tmp_path).dim == 12


def test_weights_that_are_missing_beside_a_head_are_named(tmp_path: Path) -> None:
    build("ViT", "ForImageClassification", tmp_path, image_size=32)
    change_config(tmp_path, num_hidden_layers=3)
    assert "missing: layers.2" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("family", "values"),
    [
        ("ViT", {"patch_size": [8, 8], "image_size": [32, 32]}),
        ("Dinov2", {"mlp_ratio": 2.0, "patch_size": [8, 8]}),
    ],
)
def test_sizes_that_are_written_otherwise(
    family: str, values: dict[str, Any], tmp_path: Path
) -> None:
    build(family, "Model", tmp_path, image_size=32)
    image = pixels(32, 48)
    usual = load(tmp_path)(image).patches
    change_config(tmp_path, **values)
    encoder = load(tmp_path)
    assert encoder.patch == 8
    assert torch.equal(encoder(image).patches, usual)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"patch_size": [8, 16]}, "patch_size = [8, 16]: patches that are not square"),
        ({"patch_size": [8]}, "patch_size"),
        ({"patch_size": "8"}, "patch_size = '8'"),
        ({"mlp_ratio": 2.5}, "mlp_ratio = 2.5"),
        ({"mlp_ratio": 1e300}, "mlp_ratio"),
        ({"image_size": [32, 64, 32]}, "image_size"),
        ({"image_size": [32, "64"]}, "image_size"),
        ({"image_size": [32, 10**9]}, "image_size"),
        ({"image_size": [32, 64]}, "of another shape"),
    ],
)
def test_sizes_that_cannot_be(values: dict[str, Any], words: str, tmp_path: Path) -> None:
    build("Dinov2", "Model", tmp_path, image_size=32)
    change_config(tmp_path, **values)
    assert words in refusal(tmp_path)


@pytest.mark.parametrize("family", TRANSFORMERS)
@pytest.mark.parametrize("size", [(16, 48), (48, 16), (24, 40), (16, 16)])
def test_networks_that_were_trained_on_oblong_images(
    family: str, size: tuple[int, int], tmp_path: Path
) -> None:
    """Against transformers at a size whose positions need no spreading, which were set by hand."""
    oblong = build(family, "Model", tmp_path / "oblong", image_size=(16, 48))
    config = json.loads((tmp_path / "oblong" / "config.json").read_text())
    assert config["image_size"] == [16, 48]
    positions = oblong.get_parameter("embeddings.position_embeddings").detach()
    rows, cols = size[0] // 8, size[1] // 8
    table = positions[:, 1:].reshape(1, 2, 6, 12).permute(0, 3, 1, 2)
    if (rows, cols) != (2, 6):
        smoothed = family == "Dinov2WithRegisters"
        table = interpolate(table, (rows, cols), mode="bicubic", antialias=smoothed)
    # A square network with the same weights, and each position of the image in its own patch.
    side = max(rows, cols)
    square: Any = build(family, "Model", tmp_path / "square", image_size=8 * side)
    state = dict(oblong.state_dict())
    grid = torch.zeros(1, 12, side, side)
    grid[..., :rows, :cols] = table
    state["embeddings.position_embeddings"] = torch.cat(
        [positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1
    )
    square.load_state_dict(state)
    square.save_pretrained(tmp_path / "square")
    image = torch.zeros(1, 3, 8 * side, 8 * side)
    image[..., : size[0], : size[1]] = pixels(*size)
    options = {"interpolate_pos_encoding": True} if family == "ViT" else {}
    plain: Any = load(tmp_path / "square").model
    tokens = plain.embeddings(image, **options)
    first = tokens.shape[1] - side * side
    wanted = tokens[:, first:].unflatten(1, (side, side))[:, :rows, :cols].flatten(1, 2)
    encoder = load(tmp_path / "oblong")
    network: Any = encoder.model
    spread = network.embeddings(image[..., : size[0], : size[1]], **options)
    torch.testing.assert_close(spread[:, first:], wanted)
    assert encoder(pixels(*size)).grid == (rows, cols)

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from heap.base.errors import ConfigError, InputError, WeightsError
from heap.config import Facet
from heap.encoder.base import Encoder
from heap.encoder.load import load_encoder
from heap.encoder.registry import CARDS, PACKAGED

from .folders import refusal


@pytest.fixture
def encoder(folder: Path) -> Encoder:
    return load_encoder(str(folder), precision="fp32")


def pixels(height: int = 24, width: int = 32, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_it_says_what_it_is(encoder: Encoder, folder: Path) -> None:
    assert (encoder.patch, encoder.dim, encoder.layers, encoder.heads) == (8, 12, 2, 3)
    assert encoder.name == str(folder)
    assert encoder.precision == "fp32"


@pytest.mark.parametrize("facet", ["key", "token"])
def test_shapes_and_ranges(encoder: Encoder, facet: Facet) -> None:
    features = encoder(pixels(count=2), facet=facet)
    assert features.patches.shape == (2, 12, 12)
    assert features.patches.dtype == torch.float32
    assert features.grid == (3, 4)
    assert features.heads == 3
    assert features.cls_attention.shape == (2, 3, 12)
    assert features.cls_attention.min() >= 0
    assert (features.cls_attention.sum(-1) < 1).all()  # the CLS token attends to itself as well


def test_patches_are_in_row_major_order(encoder: Encoder) -> None:
    model: Any = encoder.model
    with torch.no_grad():
        model.embeddings.position_embeddings.zero_()
        for block in model.layers:  # blocks that pass on what they get
            block.attention.o_proj.weight.zero_()
            block.attention.o_proj.bias.zero_()
            block.mlp.fc2.weight.zero_()
            block.mlp.fc2.bias.zero_()
    image = torch.zeros(1, 3, 16, 24)
    image[:, :, 8:, 16:] = 1  # second row, third column
    tokens = encoder(image, facet="token").patches[0]
    differs = (tokens - tokens[0]).abs().sum(-1) > 1e-3
    assert differs.tolist() == [False] * 5 + [True]


def test_nothing_can_be_trained(encoder: Encoder) -> None:
    assert not any(weight.requires_grad for weight in encoder.parameters())
    features = encoder(pixels().requires_grad_())
    assert not features.patches.requires_grad
    assert not features.cls_attention.requires_grad


def test_it_stays_in_evaluation_mode_inside_a_module_in_training(encoder: Encoder) -> None:
    nn.Sequential(encoder).train()
    assert not any(module.training for module in encoder.modules())


def test_negative_layers_count_from_the_end(encoder: Encoder) -> None:
    first, last = encoder(pixels(), 0).patches, encoder(pixels(), 1).patches
    assert not torch.equal(first, last)
    assert torch.equal(encoder(pixels()).patches, last)
    assert torch.equal(encoder(pixels(), -2).patches, first)


@pytest.mark.parametrize("layer", [2, -3, 64])
def test_layers_that_do_not_exist(encoder: Encoder, layer: int) -> None:
    with pytest.raises(ConfigError, match=f"no layer {layer}: it has 2 layers, so -2 to 1"):
        encoder(pixels(), layer)


@pytest.mark.parametrize("size", [(20, 32), (24, 31), (7, 7), (0, 8)])
def test_sides_that_are_no_multiple_of_the_patch(encoder: Encoder, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="multiples of 8"):
        encoder(pixels(*size))


def test_an_image_has_the_same_features_alone_and_in_a_batch(encoder: Encoder) -> None:
    images = pixels(count=3)
    together = encoder(images)
    for index in range(3):
        alone = encoder(images[index : index + 1])
        torch.testing.assert_close(alone.patches[0], together.patches[index])
        torch.testing.assert_close(alone.cls_attention[0], together.cls_attention[index])


def write_colours(folder: Path, **values: Any) -> Path:
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(values))
    return path


def test_colours_are_normalised_by_the_preprocessor(folder: Path) -> None:
    image = pixels()
    write_colours(folder, image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.3, 0.4])
    plain = load_encoder(str(folder), precision="fp32")(image).patches
    write_colours(folder, image_mean=[0, 0, 0], image_std=[1, 1, 1])
    bare = load_encoder(str(folder), precision="fp32")
    mean = torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)
    std = torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1)
    torch.testing.assert_close(bare((image - mean) / std).patches, plain)
    assert not torch.allclose(bare(image).patches, plain)


def test_an_encoder_that_was_trained_without_normalising_gets_colours_as_they_are(
    folder: Path,
) -> None:
    image = pixels()
    write_colours(folder, image_mean=[0, 0, 0], image_std=[1, 1, 1])
    bare = load_encoder(str(folder), precision="fp32")(image).patches
    write_colours(folder, do_normalize=False, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    assert torch.equal(load_encoder(str(folder), precision="fp32")(image).patches, bare)


def test_an_encoder_that_does_not_say_how_colours_were_normalised_is_refused(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    assert "has no preprocessor_config.json" in (message := refusal(folder))
    assert '"image_std": [0.229, 0.224, 0.225]' in message, "what to write into it"
    write_colours(folder, image_mean=[0.5] * 3)
    assert "has no image_std" in refusal(folder)
    for scale in ({"do_rescale": False}, {"rescale_factor": 1.0}):
        write_colours(folder, image_mean=[0.5] * 3, image_std=[0.5] * 3, **scale)
        assert "not in [0, 1]" in refusal(folder)


@pytest.mark.parametrize(
    "values",
    [{"image_mean": 3}, {"image_mean": [0, 0]}, {"image_std": [1, 0, 1]},
     {"image_mean": [0, 0, 10**400]}, {"image_mean": [float("nan")] * 3},
     {"image_std": ["a", "b", "c"]}],
)  # fmt: skip
def test_a_preprocessor_without_two_colours(folder: Path, values: dict[str, Any]) -> None:
    half = [0.5, 0.5, 0.5]
    write_colours(folder, **({"image_mean": half, "image_std": half} | values))
    with pytest.raises(WeightsError, match=r"preprocessor_config\.json"):
        load_encoder(str(folder))


@pytest.mark.fault("F37")
def test_bfloat16_is_near_float32_and_comes_out_as_float32(folder: Path) -> None:
    exact = load_encoder(str(folder), precision="fp32")(pixels(64, 64), facet="token")
    rough = load_encoder(str(folder), precision="bf16")(pixels(64, 64), facet="token")
    assert rough.patches.dtype == rough.cls_attention.dtype == torch.float32
    assert not torch.equal(rough.patches, exact.patches)
    likeness = torch.cosine_similarity(rough.patches, exact.patches, dim=-1)
    assert likeness.min() > 0.999


def test_the_fingerprint_is_that_of_the_content(folder: Path, tmp_path: Path) -> None:
    first = load_encoder(str(folder)).fingerprint
    assert len(first) == 64
    moved = folder.rename(tmp_path / "elsewhere")
    assert load_encoder(str(moved), precision="bf16").fingerprint == first
    write_colours(moved, image_mean=[0.4] * 3, image_std=[0.5] * 3)
    second = load_encoder(str(moved)).fingerprint
    weights = moved / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-4] ^= 1  # the lowest bit of the last number
    weights.write_bytes(changed)
    third = load_encoder(str(moved)).fingerprint
    assert len({first, second, third}) == 3


@pytest.mark.parametrize("device", ["warp", "gpu", "cuda:99", "meta", "hpu", ""])
def test_a_device_that_is_not_there(folder: Path, device: str) -> None:
    with pytest.raises(
        InputError, match=r"cannot be used .*; give cpu, openvino, cuda, mps or auto"
    ) as told:
        load_encoder(str(folder), device=device)
    assert len(str(told.value)) < 150, "no list of all that anybody ever made"


@pytest.mark.parametrize("alias", PACKAGED)
def test_an_encoder_of_the_package_is_what_its_card_says(alias: str) -> None:
    encoder, card = load_encoder(alias), CARDS[alias]
    assert (encoder.patch, encoder.dim) == (card.patch, card.dim)
    weights = sum(weight.numel() for weight in encoder.parameters())
    assert round(weights / 1e6, 1) == card.parameters
    layer = card.recipe.feature_config.layer
    assert -encoder.layers <= layer < encoder.layers
    features = encoder(
        pixels(6 * encoder.patch, 8 * encoder.patch), layer, card.recipe.feature_config.facet
    )
    assert features.patches.isfinite().all()

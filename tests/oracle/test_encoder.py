"""The encoder against transformers' own forward pass, with every tensor written out."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor, nn

from heap.config import Facet
from heap.encoder.base import Encoder
from heap.encoder.load import load_encoder

MEAN, STD = (0.4, 0.5, 0.6), (0.3, 0.2, 0.25)
COMMON = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 3}


@dataclass(frozen=True)
class Case:
    family: str
    options: dict[str, Any]
    prefix: int
    """Tokens before the patches."""
    blocks: str
    norm: str

    @property
    def patch(self) -> int:
        return int(self.options["patch_size"])

    def build(self, folder: Path) -> nn.Module:
        """A model whose weights are all random, so that none can be ignored unnoticed."""
        config = getattr(transformers, f"{self.family}Config")(**COMMON, **self.options)
        kind = getattr(transformers, f"{self.family}Model")
        extra = {"add_pooling_layer": False} if self.family == "ViT" else {}
        model = kind._from_config(config, attn_implementation="eager", **extra).eval()
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for weight in model.parameters():
                weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
        config.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(
            json.dumps({"image_mean": MEAN, "image_std": STD, "size": 224})
        )
        assert isinstance(model, nn.Module)
        return model


CASES = {
    "vit8": Case(
        "ViT",
        {"patch_size": 8, "image_size": 32, "intermediate_size": 48},
        1, "layers", "layernorm_before",
    ),
    "vit16": Case(
        "ViT",
        {"patch_size": 16, "image_size": 64, "intermediate_size": 48, "qkv_bias": False},
        1, "layers", "layernorm_before",
    ),
    "dinov2": Case(
        "Dinov2", {"patch_size": 14, "image_size": 56, "mlp_ratio": 2}, 1, "encoder.layer", "norm1"
    ),
    "dinov2-swiglu": Case(
        "Dinov2",
        {"patch_size": 14, "image_size": 56, "use_swiglu_ffn": True},
        1, "encoder.layer", "norm1",
    ),
    "dinov2-registers": Case(
        "Dinov2WithRegisters",
        {"patch_size": 14, "image_size": 56, "num_register_tokens": 4},
        5, "encoder.layer", "norm1",
    ),
    "dinov3": Case(
        "DINOv3ViT",
        {"patch_size": 16, "image_size": 64, "num_register_tokens": 4, "intermediate_size": 48},
        5, "model.layer", "norm1",
    ),
}  # fmt: skip


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def save(model: nn.Module, folder: Path, names: dict[str, str] | None = None) -> None:
    names = names or {name: name for name in model.state_dict()}
    state = {names[name]: value.clone() for name, value in model.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def load_both(case: Case, folder: Path) -> tuple[nn.Module, Encoder]:
    """A model of transformers, and the encoder that was loaded from its folder."""
    model = case.build(folder)
    save(model, folder)
    return model, load_encoder(str(folder), precision="fp32")


def expected(model: nn.Module, case: Case, pixels: Tensor) -> Any:
    options = {"interpolate_pos_encoding": True} if case.family == "ViT" else {}
    normal = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        return model(normal, output_hidden_states=True, output_attentions=True, **options)


@pytest.mark.parametrize("grid", [(4, 4), (5, 7), (3, 2)], ids=["pretraining", "wide", "tall"])
def test_every_layer_and_facet_is_what_transformers_computes(
    tmp_path: Path, case: Case, grid: tuple[int, int]
) -> None:
    model, encoder = load_both(case, tmp_path)
    pixels = torch.rand(2, 3, grid[0] * case.patch, grid[1] * case.patch)
    truth = expected(model, case, pixels)

    for layer in range(3):
        block: Any = model.get_submodule(f"{case.blocks}.{layer}")
        states = block.get_submodule(case.norm)(truth.hidden_states[layer])
        projection = block.attention.k_proj
        keys = states @ projection.weight.T + (0 if projection.bias is None else projection.bias)
        tokens = truth.hidden_states[layer + 1]
        last_norm = model.get_submodule("norm" if case.family == "DINOv3ViT" else "layernorm")
        with torch.no_grad():
            output = last_norm(tokens)
        wanted: dict[Facet, Tensor] = {"key": keys, "token": tokens, "output": output}
        for facet, values in wanted.items():
            features = encoder(pixels, layer, facet)
            assert features.grid == grid
            assert features.heads == 3
            torch.testing.assert_close(
                features.patches, values[:, case.prefix :], rtol=1e-4, atol=1e-5
            )
            torch.testing.assert_close(
                features.cls_attention,
                truth.attentions[layer][:, :, 0, case.prefix :],
                rtol=1e-4,
                atol=1e-6,
            )
    torch.testing.assert_close(output, truth.last_hidden_state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("grid", [(4, 4), (5, 7)], ids=["pretraining", "wide"])
def test_an_image_as_a_whole_is_what_transformers_says_of_it(
    tmp_path: Path, case: Case, grid: tuple[int, int]
) -> None:
    model, encoder = load_both(case, tmp_path)
    pixels = torch.rand(2, 3, grid[0] * case.patch, grid[1] * case.patch)
    found = encoder.embed(pixels)
    assert found.shape == (2, encoder.embedding_dim)
    truth = expected(model, case, pixels)
    # The poolers of DINO's successors pass the CLS token on; that of a ViT was not trained by it.
    wanted = truth.last_hidden_state[:, 0] if case.family == "ViT" else truth.pooler_output
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("facet", ["key", "token", "output"])
def test_later_parts_are_not_computed(tmp_path: Path, case: Case, facet: Facet) -> None:
    _, encoder = load_both(case, tmp_path)
    pixels = torch.rand(1, 3, 4 * case.patch, 4 * case.patch)
    before = encoder(pixels, 1, facet).patches

    blocks: Any = encoder.model.get_submodule(case.blocks)
    poisoned = [blocks[2], *([blocks[1].mlp, blocks[1].attention.v_proj] if facet == "key" else [])]
    for module in poisoned:
        for weight in module.parameters():
            weight.fill_(torch.nan)
    assert torch.equal(encoder(pixels, 1, facet).patches, before)
    assert encoder(pixels, 2, facet).patches.isnan().all()


OLD_NAMES = {
    "ViT": [
        (r"^layers\.", "encoder.layer."),
        (r"attention\.([qkv])_proj", r"attention.attention.\1"),
        (r"attention\.o_proj", "attention.output.dense"),
        (r"mlp\.fc1", "intermediate.dense"),
        (r"mlp\.fc2", "output.dense"),
    ],
    "Dinov2": [
        (r"attention\.([qkv])_proj", r"attention.attention.\1"),
        (r"attention\.o_proj", "attention.output.dense"),
    ],
    "DINOv3ViT": [(r"^model\.layer\.", "layer.")],
}
"""How the files on the hub call what transformers renamed in its version 5."""


def old_name(name: str, family: str) -> str:
    for pattern, replacement in OLD_NAMES[family]:
        name = re.sub(pattern, replacement, name)
    for short, word in {"q": "query", "k": "key", "v": "value"}.items():
        name = name.replace(f"attention.attention.{short}.", f"attention.attention.{word}.")
    return name


@pytest.mark.parametrize(
    ("key", "family", "prefix"),
    [
        ("vit8", "ViT", ""),
        ("vit8", "ViT", "vit."),
        ("vit16", "ViT", ""),
        ("dinov2", "Dinov2", ""),
        ("dinov2", "Dinov2", "dinov2."),
        ("dinov2-registers", "Dinov2", ""),
        ("dinov2-registers", "Dinov2", "dinov2_with_registers."),
        ("dinov3", "DINOv3ViT", ""),
    ],
)
def test_checkpoints_with_older_key_names_load(
    tmp_path: Path, key: str, family: str, prefix: str
) -> None:
    case = CASES[key]
    model = case.build(tmp_path)
    names = {name: prefix + old_name(name, family) for name in model.state_dict()}
    assert sum(old != new for new, old in names.items()) >= 3 * 8  # the renaming renames
    save(model, tmp_path, names)
    pixels = torch.rand(1, 3, 4 * case.patch, 5 * case.patch)
    tokens = load_encoder(str(tmp_path), precision="fp32")(pixels, -1, "token").patches
    truth = expected(model, case, pixels).hidden_states[-1][:, case.prefix :]
    torch.testing.assert_close(tokens, truth, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prefixed", [False, True])
def test_the_swiglu_weights_of_the_hub_are_split(tmp_path: Path, prefixed: bool) -> None:
    case = CASES["dinov2-swiglu"]
    model = case.build(tmp_path)
    state = {}
    for name, value in model.state_dict().items():
        if "up_proj" in name:
            continue
        if "gate_proj" in name:
            second = model.state_dict()[name.replace("gate_proj", "up_proj")]
            name, value = name.replace("gate_proj", "weights_in"), torch.cat([value, second])
        name = old_name(name.replace("down_proj", "weights_out"), "Dinov2")
        state[f"dinov2.{name}" if prefixed else name] = value.clone()
    save_file(state, tmp_path / "model.safetensors")
    pixels = torch.rand(1, 3, 56, 56)
    tokens = load_encoder(str(tmp_path), precision="fp32")(pixels, -1, "token").patches
    truth = expected(model, case, pixels).hidden_states[-1][:, 1:]
    torch.testing.assert_close(tokens, truth, rtol=1e-4, atol=1e-5)

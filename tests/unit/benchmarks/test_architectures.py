"""What the package says of the published encoders is what transformers makes of their numbers."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from benchmarks.architectures import PUBLISHED, Published
from safetensors import safe_open

from heap.encoder.architecture import (
    PyramidArchitecture,
    TransformerArchitecture,
    read_architecture,
)
from heap.encoder.files import CONFIG
from heap.encoder.load import load_encoder
from heap.encoder.registry import CARDS, PACKAGED
from heap.encoder.stages import STRIDE

TINY = {"hidden_size": 24, "num_attention_heads": 3, "num_hidden_layers": 2}


def test_every_encoder_with_a_short_name_is_there() -> None:
    assert PUBLISHED.keys() | {*PACKAGED} == CARDS.keys()


@pytest.mark.parametrize("alias", PUBLISHED)
class TestCards:
    def test_sizes(self, alias: str, tmp_path: Path) -> None:
        PUBLISHED[alias].config().save_pretrained(tmp_path)
        read = read_architecture(tmp_path / CONFIG)
        card = CARDS[alias]
        if isinstance(read, PyramidArchitecture):
            # The joined maps of strides 8, 16 and 32; that of stride 4 is left out.
            assert (card.dim, card.patch) == (sum(read.hidden_sizes[1:]), STRIDE)
        else:
            assert isinstance(read, TransformerArchitecture)
            assert (card.dim, card.patch) == (read.hidden_size, read.patch_size)

    def test_registers_and_family(self, alias: str) -> None:
        config = PUBLISHED[alias].config()
        wanted = 4 if alias.endswith("-reg") or alias.startswith("dinov3-vit") else 0
        assert getattr(config, "num_register_tokens", 0) == wanted
        assert (CARDS[alias].family == "DINOv3") == config.model_type.startswith("dinov3")

    def test_number_of_weights(self, alias: str) -> None:
        published = PUBLISHED[alias]
        kind: Any = getattr(transformers, f"{published.family}Model")
        with torch.device("meta"):
            model = kind(published.config())
        counted = sum(w.numel() for name, w in model.named_parameters() if "pooler" not in name)
        assert counted / 1e6 == pytest.approx(CARDS[alias].parameters, rel=0.01)


@pytest.mark.parametrize(
    ("published", "names"),
    [
        (
            Published("ViT", {**TINY, "patch_size": 8, "intermediate_size": 48}),
            {"encoder.layer.1.attention.attention.query.weight", "pooler.dense.weight"},
        ),
        (
            Published("Dinov2WithRegisters", {**TINY, "patch_size": 14, "image_size": 56}),
            {"encoder.layer.1.attention.attention.key.bias", "embeddings.register_tokens"},
        ),
        (
            Published("DINOv3ViT", {**TINY, "intermediate_size": 48, "num_register_tokens": 4}),
            {"layer.1.attention.k_proj.weight", "embeddings.mask_token"},
        ),
    ],
    ids=lambda value: value.family if isinstance(value, Published) else "",
)
def test_the_files_are_named_as_on_the_hub_and_load(
    published: Published, names: set[str], tmp_path: Path
) -> None:
    published.write(tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert names <= set(file.keys())
    encoder = load_encoder(str(tmp_path), precision="fp32")
    side = 3 * encoder.patch
    features = encoder(torch.rand(1, 3, side, side))
    assert features.patches.shape == (1, 9, 24)
    assert encoder.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])

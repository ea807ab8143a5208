"""The folder that is left: small files, a card, heads to go on with."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from heap.base.errors import InputError
from heap.encoder.load import load_encoder
from heap.pretraining.architectures import load_model, new_model
from heap.pretraining.export import load_heads, save_encoder
from heap.pretraining.student import Student

from .conftest import Architecture, Config

ABOUT = {"settings": {"steps": 7, "architecture": "vit"}, "images": 12_345, "steps": 6_000,
         "seconds": 754.0, "precision": "no"}  # fmt: skip


def test_large_encoders_come_in_small_files_and_load_again(
    architecture: Architecture, tiny: Config, tmp_path: Path
) -> None:
    kind = architecture(
        "vit", hidden_size=384, num_hidden_layers=5, num_attention_heads=6, intermediate_size=1536
    )
    student = Student(new_model(kind), tiny(architecture=kind, prototypes=1024))
    held = student.backbone.state_dict()
    assert sum(weight.numel() for weight in held.values()) > 8e6
    save_encoder(student, tmp_path, ABOUT, None)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert max(sizes.values()) < 16_000_000
    assert "model-00002-of-00002.safetensors" in sizes
    ours, theirs = load_encoder(str(tmp_path)).model.state_dict(), load_model(tmp_path).state_dict()
    for name, value in held.items():
        assert torch.equal(ours[name], value.half().float())
        assert torch.equal(theirs[name], value.half().float())


def test_saving_again_leaves_nothing_of_the_last_time(
    architecture: Architecture, tiny: Config, tmp_path: Path
) -> None:
    wide = architecture("vit", hidden_size=768, num_hidden_layers=2, num_attention_heads=6,
                        intermediate_size=3072)  # fmt: skip
    small = architecture("vit")
    for kind, dim in ((small, 16), (wide, 768), (small, 16)):
        save_encoder(Student(new_model(kind), tiny(architecture=kind)), tmp_path, ABOUT, None)
        assert load_encoder(str(tmp_path)).dim == dim
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md", "config.json", "heads.safetensors", "model.safetensors",
        "preprocessor_config.json",
    ]  # fmt: skip


def test_weights_are_in_half_precision(whole: Path) -> None:
    for name in ("model.safetensors", "heads.safetensors"):
        saved = load_file(whole / name)
        kinds = {value.dtype for key, value in saved.items() if "num_batches" not in key}
        assert kinds == {torch.float16}
    assert not (whole / "model.safetensors.index.json").exists()
    assert json.loads((whole / "config.json").read_text())["architectures"] == ["ResNetModel"]


@pytest.mark.parametrize("quality", [None, {"tokencut_iou": 51.25}])
def test_the_card_says_what_it_was_made_of(
    quality: dict[str, float] | None, tiny: Config, tmp_path: Path
) -> None:
    folder = tiny().architecture
    save_encoder(Student(new_model(folder), tiny()), tmp_path, ABOUT, quality)
    card = (tmp_path / "README.md").read_text()
    for part in ("tags:\n- self-supervised\n- resnet", "12,345 images", "6,000 steps in 13 minutes",
                 '"steps": 7', '"architecture": "vit"'):  # fmt: skip
        assert part in card
    assert ("51.25" if quality else "Not measured") in card


def test_heads_are_taken_up_where_they_fit(whole: Path, tiny: Config) -> None:
    saved = load_file(whole / "heads.safetensors")
    same = Student(load_model(whole), tiny())
    assert load_heads(same, whole) == sorted(saved)
    for name, value in saved.items():
        assert torch.equal(same.state_dict()[name], value.float())
    wider = Student(load_model(whole), tiny(prototypes=16))
    before = {name: value.clone() for name, value in wider.state_dict().items()}
    names = load_heads(wider, whole)
    left = sorted(set(saved) - set(names))
    assert left == ["image_head.prototypes.weight", "patch_head.prototypes.weight"]
    for name, value in wider.state_dict().items():
        expected = saved[name].float() if name in names else before[name]
        assert torch.equal(value, expected)
    fewer = Student(load_model(whole), tiny(patch_weight=0.0, image_weight=0.0))
    assert load_heads(fewer, whole) == ["dense_head.bias", "dense_head.weight"]


def test_a_folder_without_heads_and_one_with_damaged_ones(
    whole: Path, tiny: Config, tmp_path: Path
) -> None:
    student = Student(load_model(whole), tiny())
    assert load_heads(student, tmp_path) == []
    torn = (whole / "heads.safetensors").read_bytes()[:1000]
    (tmp_path / "heads.safetensors").write_bytes(torn)
    with pytest.raises(InputError, match=r"heads.safetensors is damaged .*; delete it to start"):
        load_heads(student, tmp_path)

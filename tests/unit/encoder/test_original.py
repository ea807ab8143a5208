"""Checkpoints of DINO and DINOv2 as their authors publish them."""

import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from originals import IMAGENET, State, checkpoint, draw, forward, shapes
from safetensors.torch import load_file
from torch import Tensor

from heap.base.errors import HeapError, WeightsError
from heap.config import Facet
from heap.encoder.architecture import check_architecture
from heap.encoder.load import load_encoder
from heap.encoder.original import read_original
from heap.encoder.registry import OUTPUT, Recipe, packaged_encoder, recipe
from heap.encoder.vit import VisionTransformer

SMALL: dict[str, dict[str, Any]] = {
    "DINO": {"patch": 8, "v2": False},
    "DINOv2": {"patch": 14, "v2": True},
    "DINOv2 with registers": {"patch": 14, "v2": True, "registers": 4},
    "DINOv2-g": {"patch": 14, "v2": True, "gated": True},
    "DINOv2-g with registers": {"patch": 14, "v2": True, "gated": True, "registers": 4},
}


def small(kind: str) -> State:
    return draw(shapes(128, 2, grid=4, **SMALL[kind]))


def save(folder: Path, content: object, name: str = "some.pth") -> str:
    torch.save(content, folder / name)
    return str(folder / name)


def pixels(rows: int, cols: int, patch: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(2, 3, rows * patch, cols * patch, generator=generator)


@pytest.mark.parametrize("grid", [(4, 4), (3, 5), (6, 6)])
@pytest.mark.parametrize("kind", SMALL)
def test_features_are_those_of_the_original(
    kind: str, grid: tuple[int, int], tmp_path: Path
) -> None:
    state = small(kind)
    encoder = load_encoder(save(tmp_path, state), precision="fp32")
    assert (encoder.heads, encoder.layers, encoder.dim) == (2, 2, 128)
    image = pixels(*grid, encoder.patch)
    truth = forward(state, image)
    facets: list[Facet] = ["key", "token", "output"]
    for facet in facets:
        features = encoder(image, facet=facet)
        torch.testing.assert_close(features.patches, truth[facet], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(features.cls_attention, truth["attention"])
    torch.testing.assert_close(encoder.embed(image), truth["whole"], rtol=1e-4, atol=1e-4)


def test_positions_are_spread_over_other_grids(tmp_path: Path) -> None:
    """So that the test above can tell wrong positions: without any, features are others."""
    state = small("DINO")
    bare = state | {"pos_embed": torch.zeros_like(state["pos_embed"])}
    image = pixels(3, 5, 8)
    assert not torch.allclose(forward(state, image)["key"], forward(bare, image)["key"], atol=1e-2)


WRAPPED: dict[str, Any] = {
    "teacher and student": checkpoint,
    "arguments": lambda state: checkpoint(state, args=Namespace(arch="vit_small", lr=0.1)),
    "parallel": lambda state: {f"module.backbone.{name}": value for name, value in state.items()},
    "whole model": lambda state: {
        "model": {
            **{f"teacher.backbone.{name}": value for name, value in state.items()},
            **{f"student.backbone.{name}": value + 1 for name, value in state.items()},
            "teacher.dino_head.mlp.0.weight": torch.ones(2, 2),
        },
        "iteration": 9,
    },
    "chunks": lambda state: {
        "teacher": {
            f"backbone.{name.replace('blocks.', 'blocks.0.')}": value
            for name, value in state.items()
        }
    },
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_the_teacher_is_taken_out_of_a_checkpoint(wrapping: str, tmp_path: Path) -> None:
    state = small("DINOv2")
    plain = load_encoder(save(tmp_path, state), precision="fp32")
    wrapped = load_encoder(save(tmp_path, WRAPPED[wrapping](state), "whole.pth"), precision="fp32")
    image = pixels(4, 4, 14)
    assert torch.equal(wrapped(image).patches, plain(image).patches)


def backwards(state: State) -> State:
    """Weights of DINOv2 in the layout of transformers, as their authors have them."""
    places = {
        "embeddings.cls_token": "cls_token", "embeddings.mask_token": "mask_token",
        "embeddings.position_embeddings": "pos_embed",
        "embeddings.patch_embeddings.projection": "patch_embed.proj", "layernorm": "norm",
        "attention.output.dense": "attn.proj", "layer_scale1.lambda1": "ls1.gamma",
        "layer_scale2.lambda1": "ls2.gamma", "encoder.layer": "blocks",
    }  # fmt: skip
    renamed: State = {}
    for name, value in state.items():
        for ours, theirs in places.items():
            name = name.replace(ours, theirs)
        renamed[name] = value
    for name in [name for name in renamed if ".attention.attention.query." in name]:
        parts = [renamed.pop(name.replace("query", part)) for part in ("query", "key", "value")]
        renamed[name.replace("attention.attention.query", "attn.qkv")] = torch.cat(parts)
    return renamed


def test_a_real_network_has_the_same_features_by_way_of_the_layout_of_its_authors(
    tmp_path: Path,
) -> None:
    state = load_file(packaged_encoder("embedded") / "model.safetensors")
    original = backwards(state)
    assert sorted(original) == sorted(shapes(384, 12, 14, 37, v2=True))
    there = load_encoder(save(tmp_path, original), precision="fp32")
    here = load_encoder("embedded", precision="fp32")
    image = pixels(8, 11, 14)[:1]
    assert torch.equal(there(image, facet="output").patches, here(image, facet="output").patches)
    torch.testing.assert_close(
        here(image, facet="output").patches,
        forward({name: value.float() for name, value in original.items()}, image)["output"],
        rtol=1e-3, atol=1e-3,
    )  # fmt: skip


PUBLISHED: dict[str, tuple[int, int, int, dict[str, Any]]] = {
    "dino_deitsmall16": (384, 12, 6, {"patch": 16, "grid": 14, "v2": False}),
    "dino_deitsmall8": (384, 12, 6, {"patch": 8, "grid": 28, "v2": False}),
    "dino_vitbase16": (768, 12, 12, {"patch": 16, "grid": 14, "v2": False}),
    "dino_vitbase8": (768, 12, 12, {"patch": 8, "grid": 28, "v2": False}),
    "dinov2_vits14": (384, 12, 6, {"patch": 14, "grid": 37, "v2": True}),
    "dinov2_vitb14": (768, 12, 12, {"patch": 14, "grid": 37, "v2": True}),
    "dinov2_vitl14": (1024, 24, 16, {"patch": 14, "grid": 37, "v2": True}),
    "dinov2_vitg14": (1536, 40, 24, {"patch": 14, "grid": 37, "v2": True, "gated": True}),
}
MILLIONS = {
    "dino_deitsmall16": 21.7, "dino_deitsmall8": 21.7, "dino_vitbase16": 85.8,
    "dino_vitbase8": 85.8, "dinov2_vits14": 22.1, "dinov2_vitb14": 86.6, "dinov2_vitl14": 304.4,
    "dinov2_vitg14": 1136.5,
}  # fmt: skip
"""Published numbers of weights, by which the shapes of the test are checked."""


@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_network_is_told_by_its_shapes(
    name: str, registers: int, tmp_path: Path
) -> None:
    width, depth, heads, options = PUBLISHED[name]
    if registers and not options["v2"]:
        pytest.skip("DINO has no registers")
    sizes = shapes(width, depth, registers=registers, **options)
    # A tensor that repeats one number takes no room, in memory or in the file.
    path = save(tmp_path, {key: torch.zeros(1).expand(size) for key, size in sizes.items()})
    values, state = read_original(Path(path))
    read = check_architecture(values, Path(path))
    kind = "vit" if not options["v2"] else "dinov2_with_registers" if registers else "dinov2"
    assert read.model_type == kind
    assert read.model_dump(include={"hidden_size", "num_hidden_layers", "num_attention_heads"}) == {
        "hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": heads,
    }  # fmt: skip
    assert values["patch_size"] == options["patch"]
    assert values["image_size"] == options["patch"] * options["grid"]
    assert values.get("mlp_ratio", 4) == 4
    count = sum(tensor.numel() for tensor in state.values())
    assert round(count / 1e6, 1) == pytest.approx(MILLIONS[name], abs=0.11)
    assert recipe(path) == (OUTPUT if options["v2"] else Recipe())


def test_colours_are_imagenets_unless_a_file_beside_it_says_otherwise(tmp_path: Path) -> None:
    path = save(tmp_path, small("DINO"))
    usual = load_encoder(path, precision="fp32")
    assert isinstance(usual, VisionTransformer)
    torch.testing.assert_close(usual.mean.flatten(), torch.tensor(IMAGENET[0]))
    torch.testing.assert_close(usual.std.flatten(), torch.tensor(IMAGENET[1]))
    (tmp_path / "preprocessor_config.json").write_text(
        '{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}'
    )
    other = load_encoder(path, precision="fp32")
    assert other.mean.flatten().tolist() == [0.5] * 3
    assert other.fingerprint != usual.fingerprint


def test_its_name_is_no_part_of_its_identity(tmp_path: Path) -> None:
    state = small("DINO")
    first = load_encoder(path := save(tmp_path, state))
    second = load_encoder(str(shutil.copy(path, tmp_path / "b.PTH")))
    assert first.fingerprint == second.fingerprint
    state["norm.bias"][0] += 1
    assert load_encoder(save(tmp_path, state)).fingerprint != first.fingerprint


def refusal(path: str) -> str:
    with pytest.raises(WeightsError) as caught:
        load_encoder(path)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def without(name: str) -> State:
    return {key: value for key, value in small("DINO").items() if key != name}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: [1, 2], "holds a list"),
        (lambda: {"epoch": 3}, "'epoch' is not a tensor"),
        (lambda: {"conv1.weight": torch.ones(2, 2)}, "without patch_embed.proj.weight"),
        (lambda: without("pos_embed"), "without pos_embed"),
        (lambda: without("blocks.1.mlp.fc2.weight"), "missing: layers.1"),
        (lambda: small("DINO") | {"head.weight": torch.ones(5, 128)}, "holds a classifier"),
        (lambda: small("DINO") | {"decoder.weight": torch.ones(5, 128)}, "with decoder.weight"),
        (lambda: small("DINO") | {"pos_embed": torch.ones(1, 16, 128)}, "15 positions"),
        (lambda: small("DINO") | {"pos_embed": torch.ones(128)}, "pos_embed of shape (128,)"),
        (lambda: draw(shapes(96, 1, 8, 4, v2=False)), "a width of 96"),
        (lambda: small("DINO") | {"norm.bias": torch.full((128,), torch.nan)}, "NaN"),
        (lambda: small("DINO") | {"blocks.200.norm1.bias": torch.ones(128)}, "num_hidden_layers"),
    ],
)  # fmt: skip
def test_other_files_are_refused_in_words(content: Any, words: str, tmp_path: Path) -> None:
    assert words in refusal(save(tmp_path, content()))


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.fault("F21")
def test_a_pickle_that_runs_code_is_refused_and_does_not(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    path = save(tmp_path, checkpoint(small("DINO"), args=Bomb(trap)))
    assert "cannot be loaded" in refusal(path)
    assert not trap.exists()


@pytest.mark.parametrize("kept", [0, 100, -1])
def test_a_file_that_was_cut_off(kept: int, tmp_path: Path) -> None:
    path = Path(save(tmp_path, small("DINO")))
    path.write_bytes(path.read_bytes()[:kept])
    assert "cannot be loaded" in refusal(str(path))


def test_a_file_in_the_place_of_its_folder(encoder_folder: Path) -> None:
    assert "give the folder" in refusal(str(encoder_folder / "model.safetensors"))
    with pytest.raises(HeapError, match=r"DINO or DINOv2"):
        load_encoder("no-such.pth")

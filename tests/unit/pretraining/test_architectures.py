"""What can be pretrained, and that what comes out is taken by us and by transformers."""

import shutil
from pathlib import Path

import pytest
import torch
from preprocessors import add_preprocessor
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from heap.base.errors import InputError
from heap.encoder.load import load_encoder
from heap.pretraining.architectures import ARCHITECTURES, find_teacher_blocks, load_model, new_model
from heap.pretraining.loop import run
from heap.pretraining.photos import Photos

from .conftest import Architecture, Config


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_has_a_name_trains_and_loads(
    name: str, tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    run(squares, tmp_path, tiny(architecture=name, steps=2, batch=2), lambda *_: None)
    encoder = load_encoder(str(tmp_path), precision="fp32")
    assert encoder.patch == 8
    assert encoder.mean.flatten().tolist() == encoder.std.flatten().tolist() == [0.5] * 3
    weights = sum(weight.numel() for weight in encoder.parameters())
    assert 2e6 < weights < 3e6
    pixels = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    features = encoder(pixels, facet="token")
    assert features.grid == (8, 6)
    assert features.patches.isfinite().all()
    assert features.patches.std(dim=1).mean() > 1e-3
    model = AutoModel.from_pretrained(tmp_path, local_files_only=True, dtype=torch.float32)
    with torch.no_grad():
        options = {"interpolate_pos_encoding": True} if name == "vit" else {}
        assert model((pixels - 0.5) / 0.5, **options).last_hidden_state.isfinite().all()


@pytest.mark.parametrize("kind", ["convnext", "dinov3_convnext", "dinov2"])
def test_other_models_of_transformers_train_and_load(
    kind: str, tiny: Config, squares: Photos, architecture: Architecture, tmp_path: Path
) -> None:
    config = tiny(architecture=architecture(kind), steps=2, crop=56, local_crop=56)
    run(squares, tmp_path, config, lambda *_: None)
    encoder = load_encoder(str(tmp_path), precision="fp32")
    assert encoder(torch.rand(1, 3, 112, 56), facet="token").patches.isfinite().all()


def test_crops_need_not_divide_into_patches(
    tiny: Config, squares: Photos, architecture: Architecture, tmp_path: Path
) -> None:
    """They are brought to the nearest number of patches, of which there is at least one."""
    for kind, patch in (("resnet", {}), ("vit", {"patch_size": 64, "image_size": 64})):
        folder = architecture(kind, **patch)
        config = tiny(architecture=folder, steps=4, crop=39, local_crop=36)
        out = tmp_path / kind
        out.mkdir()
        run(squares, out, config, lambda *_: None)
        assert (out / "model.safetensors").exists()


def test_what_cannot_be_pretrained(architecture: Architecture, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    custom = architecture("resnet", model_type="mine", auto_map={"AutoConfig": "mine.Config"})
    for place, message in [
        ("resnet-50", r"no architecture 'resnet-50': it is one of resnet, vit, segformer, or"),
        (str(tmp_path), r"config.json describes no model"),
        (custom, r"config.json describes no model"),
    ]:
        with pytest.raises(InputError, match=message):
            new_model(place)


def test_models_are_trained_in_full_precision(whole: Path, architecture: Architecture) -> None:
    """The weights of an encoder are in half precision, and files on the hub may ask for it."""
    half = architecture("resnet", dtype="float16")
    for model in (new_model(half), new_model(str(whole)), load_model(whole)):
        assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_old_weights_are_those_of_the_file(whole: Path) -> None:
    found = load_model(whole).state_dict()
    saved = load_file(whole / "model.safetensors")
    assert found.keys() == saved.keys()
    for name, value in saved.items():
        assert torch.equal(found[name], value.to(found[name].dtype))


def test_old_weights_that_are_not_whole_are_refused(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "copy")
    weights = folder / "model.safetensors"
    state = load_file(weights)
    name = next(name for name, value in state.items() if value.ndim == 4)
    lost = {key: value for key, value in state.items() if key != name}
    reshaped = state | {name: state[name][:1].contiguous()}
    for changed, message in [(lost, "are incomplete: " + name), (reshaped, "cannot be loaded")]:
        save_file(changed, weights, {"format": "pt"})
        with pytest.raises(InputError, match=message):
            load_model(folder)
    weights.write_bytes(b"torn")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_model(folder)
    weights.unlink()
    with pytest.raises(InputError, match="cannot be loaded"):
        load_model(folder)


@torch.no_grad()
def test_the_first_blocks_of_a_teacher_are_its_own(
    architecture: Architecture, tmp_path: Path
) -> None:
    """After two of its three blocks, with colours that are normalised as ours are."""
    torch.manual_seed(0)
    new_model(architecture("dinov2", num_hidden_layers=3)).save_pretrained(tmp_path)
    add_preprocessor(tmp_path)
    encoder = load_encoder(str(tmp_path), precision="fp32")
    pixels = torch.rand(2, 3, 56, 42, generator=torch.Generator().manual_seed(1))
    student = load_model(tmp_path, 2).train(False)
    ours = student((pixels - 0.5) / 0.5).last_hidden_state
    torch.testing.assert_close(ours[:, 1:], encoder(pixels, 1, "output").patches)
    student.save_pretrained(tmp_path / "student")
    again = AutoModel.from_pretrained(tmp_path / "student", local_files_only=True)
    assert again.config.num_hidden_layers == len(again.encoder.layer) == 2
    torch.testing.assert_close(again((pixels - 0.5) / 0.5).last_hidden_state, ours)


def test_blocks_that_a_teacher_does_not_have(teachers: list[str]) -> None:
    transformer, pyramid = map(Path, teachers)
    for count in (0, 2, -1):
        with pytest.raises(InputError, match=f"has 1 blocks: {count} cannot be the first of them"):
            load_model(transformer, count)
    with pytest.raises(InputError, match="a resnet has no row of blocks to begin with"):
        load_model(pyramid, 1)


def test_whose_first_blocks(teachers: list[str], tmp_path: Path) -> None:
    teacher, other = map(Path, teachers)
    assert find_teacher_blocks(None, teacher) == teacher
    with pytest.raises(InputError, match="blocks of the encoder that --teacher names"):
        find_teacher_blocks(None, None)
    assert find_teacher_blocks(other, teacher) == other
    with pytest.raises(InputError, match="is an original checkpoint"):
        find_teacher_blocks(None, tmp_path / "dino.pth")

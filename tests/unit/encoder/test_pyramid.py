import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from preprocessors import add_preprocessor
from properties import examples
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from heap.base.errors import ConfigError, InputError
from heap.config import FeatureConfig, FitConfig, HeadConfig, LossConfig
from heap.encoder.base import Encoder
from heap.encoder.load import load_encoder
from heap.encoder.pyramid import Pyramid

from .folders import change_config, load, refusal

Run = Callable[..., subprocess.CompletedProcess[str]]

MEAN, STD = (0.4, 0.5, 0.6), (0.3, 0.2, 0.25)
STAGES: dict[str, Any] = {"hidden_sizes": [4, 8, 12, 16], "depths": [1, 2, 1, 1]}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet": ("ResNet", {"embedding_size": 4, "layer_type": "basic"}),
    "bottleneck": (
        "ResNet",
        {"embedding_size": 6, "layer_type": "bottleneck", "hidden_act": "gelu",
         "downsample_in_bottleneck": True},
    ),
    "early": (
        "ResNet",
        {"embedding_size": 4, "layer_type": "basic", "downsample_in_first_stage": True,
         "hidden_sizes": [8, 12, 16], "depths": [1, 1, 2]},
    ),
    "convnext": ("ConvNext", {}),
    "dinov3_convnext": ("DINOv3ConvNext", {}),
    "segformer": ("Segformer", {"num_attention_heads": [1, 2, 3, 4], "mlp_ratios": [2, 2, 2, 2]}),
}  # fmt: skip


def build(case: str, folder: Path) -> nn.Module:
    """A tiny pyramid whose weights are all random, saved as transformers saves it."""
    name, options = CASES[case]
    config = getattr(transformers, f"{name}Config")(**{**STAGES, **options})
    model = getattr(transformers, f"{name}Model")(config).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(0.4 * torch.randn(weight.shape, generator=generator))
        for label, buffer in model.named_buffers():
            if not label.endswith("num_batches_tracked"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": MEAN, "image_std": STD})
    )
    assert isinstance(model, nn.Module)
    return model


@pytest.fixture(scope="module", params=CASES)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[nn.Module, Encoder]:
    """A model of transformers, and the encoder that was loaded from its folder."""
    folder = tmp_path_factory.mktemp(request.param)
    model = build(request.param, folder)
    return model, load_encoder(str(folder), precision="fp32")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build("resnet", tmp_path)
    return tmp_path


def pixels(height: int = 64, width: int = 96, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def enlarge(values: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Bilinear resizing, channels first, one output value after the other."""
    found = np.empty((len(values), rows, cols))
    for row in range(rows):
        for col in range(cols):
            y = max((row + 0.5) * values.shape[1] / rows - 0.5, 0)
            x = max((col + 0.5) * values.shape[2] / cols - 0.5, 0)
            top, left = int(y), int(x)
            low = min(top + 1, values.shape[1] - 1)
            right = min(left + 1, values.shape[2] - 1)
            upper = (left + 1 - x) * values[:, top, left] + (x - left) * values[:, top, right]
            lower = (left + 1 - x) * values[:, low, left] + (x - left) * values[:, low, right]
            found[:, row, col] = (top + 1 - y) * upper + (y - top) * lower
    return found


def expected(model: nn.Module, image: Tensor) -> np.ndarray:
    """Patches of one image by strides, out of transformers' own forward pass."""
    normal = (image - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        maps = model(normal[None], output_hidden_states=True).hidden_states
    rows, cols = image.shape[1] // 8, image.shape[2] // 8
    by_stride = {}
    for each in maps:
        by_stride[round(image.shape[2] / each.shape[3])] = each[0].double().numpy()
    used = [enlarge(by_stride[stride], rows, cols) for stride in (8, 16, 32)]
    units = [part / np.linalg.norm(part, axis=0) for part in used]
    joined: np.ndarray = np.concatenate(units).reshape(-1, rows * cols).T / np.sqrt(3)
    return joined


@pytest.mark.parametrize("size", [(64, 96), (128, 64), (160, 320)])
def test_patches_are_the_joined_maps_of_transformers(
    pair: tuple[nn.Module, Encoder], size: tuple[int, int]
) -> None:
    model, encoder = pair
    images = pixels(*size, count=2)
    features = encoder(images, facet="token")
    assert features.grid == (size[0] // 8, size[1] // 8)
    for image, patches in zip(images, features.patches, strict=True):
        np.testing.assert_allclose(patches.numpy(), expected(model, image), rtol=1e-3, atol=1e-5)


def test_an_image_as_a_whole_is_the_pooled_output_or_the_mean_of_the_last_map(
    pair: tuple[nn.Module, Encoder],
) -> None:
    model, encoder = pair
    images = pixels(count=2)
    normal = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        truth: Any = model(normal)
    pooled = truth.get("pooler_output")
    wanted = truth.last_hidden_state.mean(dim=(2, 3)) if pooled is None else pooled.flatten(1)
    found = encoder.embed(images)
    assert found.shape == (2, encoder.embedding_dim)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-5)
    with pytest.raises(InputError, match="multiples of 8"):
        encoder.embed(pixels(20, 32))


def test_it_says_what_it_is(pair: tuple[nn.Module, Encoder]) -> None:
    _, encoder = pair
    assert isinstance(encoder, Pyramid)
    assert (encoder.patch, encoder.dim, encoder.layers, encoder.heads) == (8, 36, 1, 1)
    nn.Sequential(encoder).train()
    assert not any(module.training for module in encoder.modules())
    assert not any(weight.requires_grad for weight in encoder.parameters())


@settings(max_examples=examples(25))
@given(rows=st.integers(1, 12), cols=st.integers(1, 12))
def test_images_of_any_size_have_patches_of_unit_length(
    pair: tuple[nn.Module, Encoder], rows: int, cols: int
) -> None:
    _, encoder = pair
    features = encoder(pixels(8 * rows, 8 * cols), facet="token")
    assert features.grid == (rows, cols)
    assert features.patches.shape == (1, rows * cols, 36)
    torch.testing.assert_close(features.patches.norm(dim=-1), torch.ones(1, rows * cols))
    assert features.cls_attention.shape == (1, 1, rows * cols)
    torch.testing.assert_close(features.cls_attention.sum(-1), torch.ones(1, 1))


@pytest.mark.parametrize("size", [(8, 8), (24, 96), (64, 16)])
def test_slim_images_are_continued_by_their_edge(
    pair: tuple[nn.Module, Encoder], size: tuple[int, int]
) -> None:
    _, encoder = pair
    height, width = size
    image = pixels(height, width)
    down = image[:, :, -1:].expand(-1, -1, max(32 - height, 0), -1)
    image = torch.cat([image, down], dim=2)
    right = image[..., -1:].expand(-1, -1, -1, max(32 - width, 0))
    whole = encoder(torch.cat([image, right], dim=3), facet="token")
    wanted = whole.patches.unflatten(1, whole.grid)[:, : height // 8, : width // 8]
    found = encoder(pixels(height, width), facet="token")
    torch.testing.assert_close(found.patches, wanted.flatten(1, 2))


def test_attention_is_a_softmax_of_the_likeness_to_the_mean_patch(
    pair: tuple[nn.Module, Encoder],
) -> None:
    _, encoder = pair
    features = encoder(pixels(), facet="token")
    patches = features.patches[0].double().numpy()
    mean = patches.mean(axis=0)
    powers = np.exp([10 * patch @ mean / np.linalg.norm(mean) for patch in patches])
    np.testing.assert_allclose(
        features.cls_attention[0, 0].numpy(), powers / powers.sum(), rtol=1e-4
    )


def test_an_image_has_the_same_features_alone_and_in_a_batch(
    pair: tuple[nn.Module, Encoder],
) -> None:
    _, encoder = pair
    images = pixels(count=3)
    together = encoder(images, facet="token").patches
    for index in range(3):
        alone = encoder(images[index : index + 1], facet="token").patches
        torch.testing.assert_close(alone[0], together[index])


@pytest.mark.fault("F37")
@pytest.mark.parametrize("case", CASES)
def test_bfloat16_is_near_float32_and_comes_out_as_float32(case: str, tmp_path: Path) -> None:
    build(case, tmp_path)
    exact = load_encoder(str(tmp_path), precision="fp32")(pixels(), facet="token")
    rough = load_encoder(str(tmp_path), precision="bf16")(pixels(), facet="token")
    assert rough.patches.dtype == rough.cls_attention.dtype == torch.float32
    assert not torch.equal(rough.patches, exact.patches)
    likeness = torch.cosine_similarity(rough.patches, exact.patches, dim=-1)
    assert likeness.min() > 0.995


@pytest.mark.parametrize("layer", [1, -2, 64])
def test_there_is_one_layer(pair: tuple[nn.Module, Encoder], layer: int) -> None:
    _, encoder = pair
    first, last = (encoder(pixels(), each, "token").patches for each in (0, -1))
    assert torch.equal(first, last)
    with pytest.raises(ConfigError, match=f"no layer {layer}: it has 1 layers, so -1 to 0"):
        encoder(pixels(), layer, "token")


def test_there_are_no_keys(pair: tuple[nn.Module, Encoder]) -> None:
    _, encoder = pair
    with pytest.raises(ConfigError, match=r"has no key: use facet token .*--facet token"):
        encoder(pixels(), -1, "key")


@pytest.mark.parametrize("size", [(20, 32), (24, 31), (7, 7), (0, 8)])
def test_sides_that_are_no_multiple_of_8(
    pair: tuple[nn.Module, Encoder], size: tuple[int, int]
) -> None:
    with pytest.raises(InputError, match="multiples of 8"):
        pair[1](pixels(*size), facet="token")


def change_state(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")


@pytest.mark.parametrize("kept", [0, 8, 200, -1])
def test_truncated_weights(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert "model.safetensors cannot be loaded" in refusal(folder)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hidden_sizes": [4, 8, 12, 17], "num_attention_heads": None}, "of another shape"),
        ({"hidden_sizes": [6000] * 4, "depths": [9] * 4}, "do not belong together"),
        ({"hidden_sizes": [4, 8, 12]}, "hidden_sizes are of 3 stages, depths"),
        ({"hidden_sizes": [4] * 9}, "hidden_sizes ="),
        ({"hidden_sizes": [4, 8, 12, 10**9]}, "hidden_sizes.3 = 1000000000"),
        ({"hidden_sizes": 4}, "hidden_sizes = 4"),
        ({"depths": [1, 2, 1, 65]}, "depths.3 = 65"),
        ({"depths": [1, 2, 1, True]}, "depths.3 = True"),
        ({"num_channels": 1}, "num_channels = 1"),
        ({"hidden_act": "../../x"}, "hidden_act"),
        ({"hidden_act": "nonsense"}, "describes no working model"),
    ],
)
def test_configurations_that_lie(
    tmp_path: Path, case: str, values: dict[str, Any], words: str
) -> None:
    build(case, tmp_path)
    if case == "early":  # it has three stages
        change_config(tmp_path, **STAGES)
    change_config(tmp_path, **values)
    message = refusal(tmp_path)
    assert "config.json" in message
    assert words in message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"strides": [4, 3, 2, 2]}, "strides.1 = 3"),
        ({"patch_sizes": [7, 4, 3, 3]}, "patch_sizes.1 = 4"),
        ({"sr_ratios": [8, 4, 2]}, "hidden_sizes are of 4 stages, sr_ratios of others"),
        ({"num_encoder_blocks": 3}, "num_encoder_blocks of others"),
        ({"num_attention_heads": [1, 3, 3, 4]}, "not multiples of num_attention_heads"),
        ({"strides": [1, 1, 1, 2]}, "cannot serve as a pyramid"),
        ({"strides": [4, 2, 8, 8]}, "cannot serve as a pyramid"),
    ],
)
def test_segformers_that_cannot_serve(tmp_path: Path, values: dict[str, Any], words: str) -> None:
    build("segformer", tmp_path)
    change_config(tmp_path, **values)
    assert words in refusal(tmp_path)


def test_a_list_that_is_too_short_for_the_default_of_another(tmp_path: Path) -> None:
    build("convnext", tmp_path)
    config = {"model_type": "convnext", "hidden_sizes": [4, 8, 12], "depths": [1, 1, 1]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "describes no working model" in refusal(tmp_path)


@pytest.mark.parametrize("stages", [1, 6])
def test_strides_that_are_too_fine_or_too_coarse(tmp_path: Path, stages: int) -> None:
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[4] * stages, depths=[1] * stages, layer_type="basic"
    )
    transformers.ResNetModel(config).save_pretrained(tmp_path)
    add_preprocessor(tmp_path)
    assert "strides from 8 to at most 64 pixels" in refusal(tmp_path)


NORM = "embedder.embedder.normalization"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (f"{NORM}.weight", torch.ones(4, dtype=torch.int64)),
        (f"{NORM}.running_mean", torch.ones(4, dtype=torch.int64)),
        (f"{NORM}.num_batches_tracked", torch.tensor(1, dtype=torch.int32)),
        (f"{NORM}.num_batches_tracked", torch.ones(4, dtype=torch.int64)),
        ("payload", torch.tensor(1, dtype=torch.int64)),
        ("payload", torch.tensor(True)),
    ],
)
def test_integers_are_no_weights_but_the_counter(folder: Path, name: str, value: Tensor) -> None:
    change_state(folder, lambda state: state.update({name: value}))
    assert f"{name!r} is not a tensor of floating-point numbers" in refusal(folder)


def test_counters_make_no_room_for_a_lie(folder: Path) -> None:
    def fill(state: dict[str, Tensor]) -> None:
        state |= {f"{place}.num_batches_tracked": torch.tensor(0) for place in range(99)}

    before = load(folder)(pixels(), facet="token").patches
    change_state(folder, fill)
    assert torch.equal(load(folder)(pixels(), facet="token").patches, before)


def test_the_counter_may_be_absent(folder: Path) -> None:
    def drop(state: dict[str, Tensor]) -> None:
        for name in [name for name in state if name.endswith("num_batches_tracked")]:
            del state[name]

    before = load(folder)(pixels(), facet="token").patches
    change_state(folder, drop)
    assert torch.equal(load(folder)(pixels(), facet="token").patches, before)


def test_statistics_that_are_missing_or_broken(folder: Path) -> None:
    name = f"{NORM}.running_var"
    change_state(folder, lambda state: state.update({name: torch.full((4,), torch.nan)}))
    assert f"NaN or infinite weights ({name})" in refusal(folder)
    change_state(folder, lambda state: state.update({name: torch.full((4,), -1.0)}))
    assert "its features are not finite" in refusal(folder)
    change_state(folder, lambda state: state.pop(name))
    assert f"missing: {name}" in refusal(folder)


@pytest.mark.parametrize("case", CASES)
def test_half_precision_files_become_float32(case: str, tmp_path: Path) -> None:
    build(case, tmp_path)
    before = load(tmp_path)(pixels(), facet="token").patches

    def halve(state: dict[str, Tensor]) -> None:
        state |= {name: value.half() for name, value in state.items() if value.is_floating_point()}

    change_state(tmp_path, halve)
    encoder = load(tmp_path)
    floating = [value for value in encoder.state_dict().values() if value.is_floating_point()]
    assert {value.dtype for value in floating} == {torch.float32}
    after = encoder(pixels(), facet="token").patches
    assert torch.cosine_similarity(before, after, dim=-1).min() > 0.999


@pytest.mark.parametrize("case", CASES)
def test_loading_says_nothing_and_leaves_no_trace(
    case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    build(case, tmp_path)
    capfd.readouterr()
    random = torch.random.get_rng_state()
    load(tmp_path)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert capfd.readouterr() == ("", "")


def test_a_head_is_fitted_on_a_pyramid(folder: Path, photos: Path, tmp_path: Path) -> None:
    from heap.fitting.command import fit
    from heap.model.heap import Heap

    fit(
        photos,
        tmp_path / "model",
        features=FeatureConfig(encoder=str(folder), facet="token", resolution=64, cues=("colour",)),
        head=HeadConfig(groups=4, blocks=1, heads=2, width=16),
        losses=LossConfig(prior="boundary"),
        config=FitConfig(steps=60, batch=6, learning_rate=1e-2, checkpoint_every=20),
        precision="fp32",
    )
    again = Heap.from_pretrained(tmp_path / "model", precision="fp32")
    assert again.encoder.dim == 36


def test_the_command_says_which_facet_a_pyramid_needs(
    folder: Path, photos: Path, tmp_path: Path, run_heap: Run
) -> None:
    keys = ("--facet", "key")
    done = run_heap("fit", photos, "--encoder", folder, "--out", tmp_path / "model", *keys)
    assert done.returncode == 2
    assert "has no key: use facet token (`heap fit --facet token`)" in done.stderr
    assert "Traceback" not in done.stderr

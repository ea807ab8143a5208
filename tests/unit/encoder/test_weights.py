import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from properties import examples
from safetensors.torch import load_file, save_file
from torch import Tensor

from heap.base.errors import WeightsError

from .folders import change_config, load, refusal

State = dict[str, Tensor]
BIAS = "embeddings.patch_embeddings.projection.bias"
PIXELS = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))


def test_a_pickle_gives_the_features_that_safetensors_gives(folder: Path, state: State) -> None:
    first = load(folder)(PIXELS)
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    second = load(folder)(PIXELS)
    assert torch.equal(first.patches, second.patches)
    assert torch.equal(first.cls_attention, second.cls_attention)


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.fault("F21")
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_pickle_bomb_is_refused_and_does_not_go_off(
    folder: Path, state: State, wrapped: bool
) -> None:
    target = folder / "exploded"
    (folder / "model.safetensors").unlink()
    bomb = Bomb(target)
    torch.save({**state, "bomb": bomb} if wrapped else bomb, folder / "pytorch_model.bin")
    assert "pytorch_model.bin cannot be loaded" in refusal(folder)
    assert not target.exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)  # it is a live one
    assert target.exists()


@pytest.mark.fault("F24")
def test_code_that_a_configuration_names_is_not_run(folder: Path) -> None:
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    change_config(
        folder,
        auto_map={"AutoModel": "evil.Model", "AutoConfig": "evil.Config"},
        _attn_implementation="somebody/kernels",
        quantization_config={"quant_method": "bitsandbytes"},
    )
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/else"}')
    load(folder)
    assert not (folder / "ran").exists()


@pytest.mark.fault("F22")
@pytest.mark.parametrize("kept", [0, 4, 8, 200, -1])
def test_truncated_safetensors(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    message = refusal(folder)
    assert "model.safetensors cannot be loaded" in message
    assert "SHA-256" in message


@pytest.mark.fault("F22")
def test_wrong_length_of_the_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes((1 << 40).to_bytes(8, "little") + path.read_bytes()[8:])
    assert "model.safetensors cannot be loaded" in refusal(folder)


@pytest.mark.fault("F22")
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bit=st.integers(0, 8 * 1500 - 1))
def test_a_flipped_bit_in_the_header_never_escapes_as_another_error(folder: Path, bit: int) -> None:
    original = (folder / "model.safetensors").read_bytes()
    damaged = bytearray(original)
    damaged[bit // 8] ^= 1 << bit % 8
    broken = folder / "broken"
    broken.mkdir(exist_ok=True)
    for name in ("config.json", "preprocessor_config.json"):
        (broken / name).write_bytes((folder / name).read_bytes())
    (broken / "model.safetensors").write_bytes(damaged)
    try:
        encoder = load(broken)
    except WeightsError:
        return
    assert encoder(PIXELS).patches.isfinite().all()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02.", b"<html>"])
def test_a_pickle_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(content)
    assert "pytorch_model.bin cannot be loaded" in refusal(folder)


@pytest.mark.parametrize(
    "content", [[1, 2], {"epoch": 3}, {"weight": torch.ones(2, dtype=torch.int64)}]
)
def test_a_pickle_of_something_else(folder: Path, content: object) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(content, folder / "pytorch_model.bin")
    assert "pytorch_model.bin" in refusal(folder)


@pytest.mark.fault("F23")
def test_missing_unexpected_and_mismatching_keys_are_all_named(folder: Path, state: State) -> None:
    del state["layernorm.weight"]
    state["classifier.weight"] = torch.zeros(10, 12)
    state[BIAS] = torch.zeros(7)
    save_file(state, folder / "model.safetensors")
    message = refusal(folder)
    assert "missing: layernorm.weight;" in message
    assert "not the model's: classifier.weight;" in message
    assert f"of another shape: {BIAS} (7,) instead of (12,)" in message


def test_only_the_first_of_many_keys_are_named(folder: Path, state: State) -> None:
    extra = {f"head.{number}": torch.zeros(1) for number in range(9)}
    save_file(state | extra, folder / "model.safetensors")
    assert "head.0, head.1, head.2, head.3, head.4 and 4 more" in refusal(folder)


def test_pooler_and_mask_token_may_be_there(folder: Path, state: State) -> None:
    before = load(folder)(PIXELS).patches
    state["pooler.dense.weight"] = torch.zeros(12, 12)
    state["pooler.dense.bias"] = torch.zeros(12)
    state["embeddings.mask_token"] = torch.zeros(1, 1, 12)
    save_file(state, folder / "model.safetensors")
    assert torch.equal(load(folder)(PIXELS).patches, before)


def test_the_mask_token_may_be_absent(folder: Path, state: State) -> None:
    change_config(
        folder, model_type="dinov2_with_registers", num_register_tokens=1, intermediate_size=48
    )
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    config = Dinov2WithRegistersConfig(**json.loads((folder / "config.json").read_text()))
    weights = Dinov2WithRegistersModel(config).state_dict()
    del weights["embeddings.mask_token"]
    save_file(weights, folder / "model.safetensors")
    assert load(folder)(PIXELS).patches.shape == (1, 12, 12)


@pytest.mark.fault("F23")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(folder: Path, state: State, value: float) -> None:
    state[BIAS][3] = value
    save_file(state, folder / "model.safetensors")
    assert f"NaN or infinite weights ({BIAS})" in refusal(folder)


def test_half_precision_files_become_float32(folder: Path, state: State) -> None:
    save_file({name: value.half() for name, value in state.items()}, folder / "model.safetensors")
    encoder = load(folder)
    assert {weight.dtype for weight in encoder.parameters()} == {torch.float32}
    bias: Any = encoder.model.get_submodule("embeddings.patch_embeddings.projection").bias
    assert torch.equal(bias, state[BIAS].half().float())


def test_integers_are_no_weights(folder: Path, state: State) -> None:
    save_file(state | {BIAS: torch.ones(12, dtype=torch.int32)}, folder / "model.safetensors")
    assert f"{BIAS!r} is not a tensor of floating-point numbers" in refusal(folder)


@pytest.mark.fault("F23")
def test_weights_of_another_patch_size(folder: Path) -> None:
    change_config(folder, patch_size=4, image_size=8)
    assert "of another shape: embeddings.patch_embeddings.projection.weight" in refusal(folder)


def test_a_configuration_cannot_ask_for_more_memory_than_the_file_needs(folder: Path) -> None:
    change_config(folder, hidden_size=8192, num_attention_heads=1, num_hidden_layers=128)
    assert "do not belong together" in refusal(folder)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model_type": "bert"}, "model_type 'bert'"),
        ({"model_type": ["vit"]}, "model_type ['vit']"),
        ({"num_hidden_layers": 1_000_000_000}, "num_hidden_layers = 1000000000"),
        ({"hidden_size": "12"}, "hidden_size = '12'"),
        ({"patch_size": 0}, "patch_size = 0"),
        ({"num_channels": 1}, "num_channels = 1"),
        ({"num_attention_heads": 5}, "not a multiple"),
        ({"hidden_act": "../../x"}, "hidden_act"),
        ({"hidden_act": "nonsense"}, "describes no working model"),
    ],
)
def test_configurations_that_cannot_serve(folder: Path, values: dict[str, Any], words: str) -> None:
    change_config(folder, **values)
    message = refusal(folder)
    assert "config.json" in message
    assert words in message


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000, "\x00"])
def test_a_configuration_that_is_no_json_object(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    assert "config.json" in refusal(folder)


def test_shards_make_the_same_encoder(folder: Path, state: State) -> None:
    whole = load(folder)(PIXELS).patches
    (folder / "model.safetensors").unlink()
    names = sorted(state)
    places = {name: f"model-{number % 2}.safetensors" for number, name in enumerate(names)}
    for shard in set(places.values()):
        part = {name: state[name] for name in names if places[name] == shard}
        save_file(part, folder / shard)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    assert torch.equal(load(folder)(PIXELS).patches, whole)
    (folder / "model-1.safetensors").unlink()
    assert "model-1.safetensors is missing" in refusal(folder)


@pytest.mark.parametrize("place", ["../tiny/model.safetensors", "/etc/passwd", "..", ""])
def test_an_index_cannot_name_files_elsewhere(folder: Path, place: str) -> None:
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": place}}))
    assert "does not name the weight files beside it" in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_without_one_of_its_files(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in refusal(folder)


def test_loading_says_nothing_and_leaves_no_trace(
    folder: Path, state: State, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging as transformers_logging

    logger = logging.getLogger("transformers")
    before = (logger.level, transformers_logging.is_progress_bar_enabled())
    random = torch.random.get_rng_state()
    load(folder)
    assert torch.equal(torch.random.get_rng_state(), random)
    save_file(state | {"extra": torch.zeros(1)}, folder / "model.safetensors")
    refusal(folder)
    assert capfd.readouterr() == ("", "")
    assert (logger.level, transformers_logging.is_progress_bar_enabled()) == before


def test_the_file_on_disk_is_not_held_or_changed(folder: Path) -> None:
    path = folder / "model.safetensors"
    encoder = load(folder)
    before = encoder(PIXELS).patches
    names = load_file(path)
    save_file({name: torch.zeros_like(value) for name, value in names.items()}, path)
    assert torch.equal(encoder(PIXELS).patches, before)

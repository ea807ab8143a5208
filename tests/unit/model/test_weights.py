from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from heap.base.errors import WeightsError
from heap.config import HeadConfig
from heap.encoder.registry import packaged_head
from heap.model.head import GroupingHead
from heap.model.weights import digest_of, load_head, save_head


def head() -> GroupingHead:
    return GroupingHead(6, 4, HeadConfig(groups=2, blocks=1, heads=2, width=8))


def test_one_flipped_bit_is_refused_wherever_it_is(tmp_path: Path) -> None:
    torch.manual_seed(0)
    saved, path = head(), tmp_path / "model.safetensors"
    save_head(saved, path)
    whole, refused = path.read_bytes(), 0
    for place in [*range(0, 400, 7), *range(400, len(whole), 101), len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        loaded = head()
        try:
            load_head(loaded, path)
        except WeightsError:
            refused += 1
        else:  # The name of the checksum itself.
            assert digest_of(loaded.state_dict()) == digest_of(saved.state_dict())
    assert refused > 90


def test_the_lowest_bit_of_a_weight_is_named_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_head(head(), path)
    damaged = bytearray(path.read_bytes())
    damaged[-4] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged: its weights have"):
        load_head(head(), path)


def test_weights_of_another_type_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_head(head(), path)
    tensors = load_file(path)
    save_file(tensors | {"centre": tensors["centre"].double()}, path)
    with pytest.raises(WeightsError, match=r"of another shape or type, or not finite: centre$"):
        load_head(head(), path)


def test_the_model_inside_the_package_has_a_checksum() -> None:
    path = packaged_head("embedded") / "model.safetensors"
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["sha256"] == digest_of(load_file(path))

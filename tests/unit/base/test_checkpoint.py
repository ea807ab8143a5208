import os
from pathlib import Path
from pickle import PicklingError
from typing import Any

import pytest
import torch

from heap.base.checkpoint import load_checkpoint, save_checkpoint
from heap.base.errors import StoreError


def state() -> dict[str, Any]:
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return {
        "step": 7,
        "settings": '{"rate": 0.1}',
        "layer": layer.state_dict(),
        "optimizer": optimizer.state_dict(),
    }


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    saved = state()
    save_checkpoint(tmp_path / "a.pt", saved)
    loaded = load_checkpoint(tmp_path / "a.pt")
    assert (loaded["step"], loaded["settings"]) == (7, '{"rate": 0.1}')
    for name, value in saved["layer"].items():
        assert torch.equal(loaded["layer"][name], value)
    moment = saved["optimizer"]["state"][0]["exp_avg"]
    assert torch.equal(loaded["optimizer"]["state"][0]["exp_avg"], moment)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_a_torn_file_is_refused_at_any_length(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    save_checkpoint(path, state())
    whole = path.read_bytes()
    for length in [0, 1, 2, 4, 30, *range(100, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(StoreError, match=r"a\.pt is not a usable checkpoint.*delete it"):
            load_checkpoint(path)


@pytest.mark.fault("F31")
def test_any_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    save_checkpoint(path, {"step": 7, "weight": torch.arange(50.0)})
    whole = path.read_bytes()
    assert torch.equal(torch.load(path, weights_only=True)["weight"], torch.arange(50.0))
    for place in [*range(0, len(whole), 7), len(whole) - 1]:
        torn = bytearray(whole)
        torn[place] ^= 1 << place % 8
        path.write_bytes(torn)
        with pytest.raises(StoreError, match=r"not a usable checkpoint \(wrong checksum\)"):
            load_checkpoint(path)


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.fault("F21")
def test_code_in_a_checkpoint_is_refused_and_does_not_run(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", {"step": Bomb(tmp_path / "ran")})
    with pytest.raises(StoreError):
        load_checkpoint(tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "a.pt", weights_only=False)
    assert (tmp_path / "ran").exists(), "the bomb was live"


@pytest.mark.parametrize(
    "content", [[1, 2], "text", torch.zeros(3)], ids=["list", "text", "tensor"]
)
def test_something_that_is_no_checkpoint_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(StoreError):
        load_checkpoint(tmp_path / "a.pt")


def test_a_save_that_fails_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    save_checkpoint(path, {"step": 1})
    with pytest.raises((AttributeError, PicklingError), match="local object"):
        save_checkpoint(path, {"step": 2, "bad": lambda: None})
    assert load_checkpoint(path) == {"step": 1}

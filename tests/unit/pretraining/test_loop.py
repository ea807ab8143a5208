"""Training as a whole: the same again, stopped and gone on with, by the clock, and refused."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from heap.base.checkpoint import save_checkpoint
from heap.base.errors import ConfigError, StoreError
from heap.pretraining.loop import run
from heap.pretraining.photos import Photos

from .conftest import Architecture, Config


def ignore(progress: float, losses: dict[str, float]) -> None:
    pass


def weights(folder: Path) -> bytes:
    return b"".join((folder / f"{name}.safetensors").read_bytes() for name in ("model", "heads"))


def lines(folder: Path, name: str = "log.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def stopping(after: int, seen: list[float]) -> Callable[[float, dict[str, float]], None]:
    def on_step(progress: float, losses: dict[str, float]) -> None:
        seen.append(round(progress, 6))
        if len(seen) == after:
            raise KeyboardInterrupt

    return on_step


def test_the_same_seed_gives_the_same_bytes(
    whole: Path, tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    for name, config in (("again", tiny()), ("other", tiny(seed=1))):
        (tmp_path / name).mkdir()
        run(squares, tmp_path / name, config, ignore)
    for name in ("model.safetensors", "heads.safetensors", "log.jsonl", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (whole / name).read_bytes()
    assert weights(tmp_path / "other") != weights(whole)


@pytest.mark.parametrize("kind", ["resnet", "vit", "segformer"])
@pytest.mark.parametrize("stop", [1, 3])
def test_training_that_was_stopped_goes_on_and_ends_the_same(
    stop: int, kind: str, architecture: Architecture, tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    """Of these the segformer leaves out blocks at random, and the resnet has statistics."""
    config = tiny(architecture=architecture(kind))
    plain, out = tmp_path / "plain", tmp_path / "out"
    plain.mkdir()
    out.mkdir()
    run(squares, plain, config, ignore)
    seen: list[float] = []
    with pytest.raises(KeyboardInterrupt):
        run(squares, out, config, stopping(stop, seen))
    assert not (out / "model.safetensors").exists()
    run(squares, out, config, stopping(0, seen))
    resumed_from = 2 * (stop // 2)
    steps = [*range(1, stop + 1), *range(resumed_from + 1, 6)]
    assert seen == [step / 5 for step in steps]
    assert weights(out) == weights(plain)
    assert (out / "log.jsonl").read_bytes() == (plain / "log.jsonl").read_bytes()


def test_training_that_has_ended_is_not_gone_on_with(
    whole: Path, tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    folder = shutil.copytree(whole, tmp_path / "copy")
    (folder / "model.safetensors").unlink()
    seen: list[float] = []
    run(squares, folder, tiny(), stopping(0, seen))
    assert seen == []
    assert weights(folder) == weights(whole)


def test_the_log_has_losses_and_signs_of_collapse(whole: Path) -> None:
    assert [line["step"] for line in lines(whole)] == [2, 4, 5]
    names = {"step", "image", "patch", "dense", "prototype_entropy", "token_spread", "foreground"}
    assert all(set(line) == names for line in lines(whole))


def test_every_step_draws_anew(tiny: Config, squares: Photos, tmp_path: Path) -> None:
    """The student hardly moves, so that what differs between steps is what they have drawn."""
    still = tiny(learning_rate=1e-9, weight_decay=0.0, checkpoint_every=1)
    run(squares, tmp_path, still, ignore)
    assert len({line["dense"] for line in lines(tmp_path)}) == 5


@pytest.mark.parametrize("kind", ["resnet", "vit"])
def test_it_learns(
    kind: str, architecture: Architecture, tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    """To tell what is bright; without a teacher, whose part of the target would move."""
    config = tiny(
        architecture=architecture(kind), steps=80, checkpoint_every=1, batch=8, global_crops=1,
        image_weight=0.0, patch_weight=0.0, trust=0.0, learning_rate=1e-2,
    )  # fmt: skip
    run(squares, tmp_path, config, ignore)
    log = lines(tmp_path)
    early, late = (sum(line["dense"] for line in part) for part in (log[:10], log[-10:]))
    assert late < 0.9 * early


def test_prototypes_stay_in_use(tiny: Config, squares: Photos, tmp_path: Path) -> None:
    run(squares, tmp_path, tiny(steps=20), ignore)
    assert lines(tmp_path)[-1]["prototype_entropy"] > 0.5


@pytest.mark.parametrize(
    ("changes", "logged"),
    [
        ({"image_weight": 0.0}, {"patch", "dense"}),
        ({"patch_weight": 0.0}, {"image", "dense"}),
        ({"dense_weight": 0.0}, {"image", "patch"}),
        ({"image_weight": 0.0, "patch_weight": 0.0, "global_crops": 1}, {"dense"}),
        ({"global_crops": 1}, {"image", "patch", "dense"}),
        ({"local_crops": 0}, {"image", "patch", "dense"}),
        ({"steps": 12, "batch": 2, "global_crops": 1}, {"image", "patch", "dense"}),
        ({"last_crop": 64, "last_share": 0.5}, {"image", "patch", "dense"}),
    ],
)
def test_settings_of_all_kinds_train(
    changes: dict[str, Any], logged: set[str], tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    run(squares, tmp_path, tiny(**changes), ignore)
    assert lines(tmp_path)
    for line in lines(tmp_path):
        assert set(line) & {"image", "patch", "dense"} == logged
        assert all(value == value for value in line.values()), "no NaN"
    heads = {name.partition("_head")[0] for name in load_file(tmp_path / "heads.safetensors")}
    assert heads == logged


def test_the_clock_ends_training_and_the_rate_follows_it(
    tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    config = tiny(steps=100_000, minutes=0.02, checkpoint_every=1)
    seen: list[float] = []
    run(squares, tmp_path, config, stopping(0, seen))
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["seconds"] >= 1.2
    assert state["step"] == len(seen) < 100_000
    assert seen == sorted(seen)
    assert seen[-1] == 1
    # The last step's rate is that of the progress before it: next to none if steps are short.
    before = seen[-2] if len(seen) > 1 else 0.0
    falling = (1 + math.cos(math.pi * (before - 0.05) / 0.95)) / 2
    expected = falling if before >= 0.05 else (before + 0.001) / 0.051
    rate = state["optimizer"]["param_groups"][0]["lr"] / config.learning_rate
    assert rate == pytest.approx(expected, abs=1e-4)
    assert f"{state['step']:,} steps in 0 minutes" in (tmp_path / "README.md").read_text()


def test_going_on_from_an_encoder(
    whole: Path, tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    """With a rate of next to nothing, what comes out is what went in, heads included."""
    still = tiny(steps=1, learning_rate=1e-9, weight_decay=0.0)
    (tmp_path / "fresh").mkdir()
    (tmp_path / "on").mkdir()
    run(squares, tmp_path / "on", still, ignore, start=whole)
    run(squares, tmp_path / "fresh", still, ignore)
    for name in ("model.safetensors", "heads.safetensors"):
        given, found, fresh = (load_file(each / name) for each in
                               (whole, tmp_path / "on", tmp_path / "fresh"))  # fmt: skip
        learned = [key for key in given if "running" not in key and "num_batches" not in key]
        assert learned
        for key in learned:
            torch.testing.assert_close(found[key], given[key], atol=1e-4, rtol=1e-3)
        assert any(not torch.allclose(fresh[key], given[key], atol=1e-3) for key in learned)


def test_a_start_ignores_the_architecture_of_the_settings(
    whole: Path, architecture: Architecture, tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    config = tiny(steps=1, architecture=architecture("vit"))
    run(squares, tmp_path, config, ignore, start=whole)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "resnet"


def test_figures_are_measured_on_the_way_and_at_the_end(
    tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    measured = []

    def measure(folder: Path) -> dict[str, float]:
        measured.append(weights(folder))
        return {"bytes": float(len(measured[-1])), "number": float(len(measured))}

    run(squares, tmp_path, tiny(), ignore, measure=measure, measure_every=2)
    assert len(set(measured)) == len(measured) == 3
    assert measured[-1] == weights(tmp_path)
    found = lines(tmp_path, "quality.jsonl")
    assert [(line["step"], line["number"]) for line in found] == [(2, 1), (4, 2), (5, 3)]
    card = (tmp_path / "README.md").read_text()
    assert '"number": 3.0' in card
    # Called again when all is done, it measures the end once more, and has one line of it.
    run(squares, tmp_path, tiny(), ignore, measure=measure, measure_every=2)
    found = lines(tmp_path, "quality.jsonl")
    assert [(line["step"], line["number"]) for line in found] == [(2, 1), (4, 2), (5, 4)]


def test_measuring_changes_nothing(
    whole: Path, tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    def measure(folder: Path) -> dict[str, float]:
        torch.manual_seed(99)
        return {"random": torch.rand(()).item()}

    run(squares, tmp_path, tiny(), ignore, measure=measure, measure_every=1)
    assert weights(tmp_path) == weights(whole)


def test_other_settings_are_refused_by_key(
    whole: Path, tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    folder = shutil.copytree(whole, tmp_path / "copy")
    with pytest.raises(ConfigError, match=r"batch \(4 -> 6\).*choose another --out"):
        run(squares, folder, replace(tiny(), batch=6), ignore)
    assert weights(folder) == weights(whole)


def test_a_checkpoint_of_something_else_is_refused(
    whole: Path, tiny: Config, squares: Photos, architecture: Architecture, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "checkpoint.pt", {"step": 3, "head": {}})
    with pytest.raises(StoreError, match="not of a pretraining; choose another --out"):
        run(squares, tmp_path, tiny(), ignore)
    # The same settings, but the folder that they name or start from holds another model.
    shutil.copy(whole / "checkpoint.pt", tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    run(squares, other, tiny(architecture=architecture("vit"), steps=1), ignore)
    with pytest.raises(StoreError, match="of another model"):
        run(squares, tmp_path, tiny(), ignore, start=other)

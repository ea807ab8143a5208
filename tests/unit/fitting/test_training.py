"""Whole fits: where the masks of a prior are kept, and what a stopped fit goes on from."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from heap.base.errors import FitError
from heap.config import FeatureConfig, FitConfig, HeadConfig, LossConfig
from heap.encoder.registry import Recipe
from heap.fitting.command import fit
from heap.fitting.priors import STAGE, load_masks
from heap.methods.found import STAGE as LESSONS
from heap.methods.found import FoundRecipe
from heap.model.heap import Heap

Fit = Callable[..., Heap]
HEAD = HeadConfig(groups=4, blocks=1, heads=2, width=16)
CONFIG = FitConfig(steps=12, batch=5, learning_rate=1e-2, checkpoint_every=5)
SELF = LossConfig(prior="self")
LESSON_STEPS = 40


class Heard:
    """Notes the stages of a fit, and stops it as Ctrl-C does at the time that a stage is there."""

    def __init__(self, stage: str = "", time: int = 0) -> None:
        self.stage, self.time, self.said = stage, time, list[tuple[str, int]]()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        self.said.append((stage, done))
        if stage == self.stage and len(self.of(stage)) == self.time:
            raise KeyboardInterrupt

    def of(self, stage: str) -> list[int]:
        return [done for said, done in self.said if said == stage]


@pytest.fixture(scope="module", autouse=True)
def _quick_lessons() -> Iterator[None]:
    """A few steps of a few images teach the layer."""
    quick = partial(FoundRecipe, steps=LESSON_STEPS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("heap.fitting.priors.FoundRecipe", quick)
        patch.setattr("heap.methods.found.BATCH", 6)
        yield


@pytest.fixture(scope="module")
def plain_features(encoder_folder: Path) -> FeatureConfig:
    """Without cues: with that of colour a head without a prior takes everything for foreground."""
    return FeatureConfig(encoder=str(encoder_folder), resolution=64)


@pytest.fixture(scope="module")
def settings(plain_features: FeatureConfig) -> dict[str, Any]:
    """With these a fit takes a second."""
    return {
        "features": plain_features,
        "head": HEAD,
        "losses": LossConfig(prior="boundary"),
        "config": CONFIG,
        "precision": "fp32",
    }


@pytest.fixture
def fit_small(photos: Path, settings: dict[str, Any], tmp_path: Path) -> Fit:
    """Fits with these settings and a cache of its own; any argument can be another one."""

    def fitted(name: str, **options: Any) -> Heap:
        return fit(photos, tmp_path / name, **(settings | {"cache": tmp_path / "cache"} | options))

    return fitted


def priors(cache: Path) -> dict[str, tuple[bytes, int]]:
    folder = cache / "priors"
    found = sorted(folder.iterdir()) if folder.exists() else []
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def files(folder: Path) -> dict[str, bytes]:
    names = ("config.json", "model.safetensors", "log.jsonl", "README.md")
    return {name: (folder / name).read_bytes() for name in names}


def test_masks_are_made_once_for_all_heads(fit_small: Fit, tmp_path: Path) -> None:
    first, second = Heard(), Heard()
    fit_small("one", on_progress=first)
    kept = priors(tmp_path / "cache")
    assert len(kept) == 1
    assert first.of(STAGE) == list(range(1, 13))
    other_head = HeadConfig(groups=5, blocks=1, heads=2, width=16)
    other_losses = LossConfig(prior="boundary", inter=0.0, prior_weight=5.0)
    fit_small("two", head=other_head, losses=other_losses, on_progress=second)
    assert second.of(STAGE) == []
    assert priors(tmp_path / "cache") == kept


def test_other_priors_features_images_and_seeds_have_masks_of_their_own(
    fit_small: Fit, tmp_path: Path, plain_features: FeatureConfig
) -> None:
    def attempt(number: int, **options: Any) -> int:
        try:
            fit_small(str(number), **options)
        except FitError:  # Of no use, but it has come to its end.
            assert (tmp_path / str(number) / "checkpoint.pt").exists()
        return len(priors(tmp_path / "cache"))

    assert attempt(0, losses=LossConfig(prior="none")) == 0
    assert attempt(1) == 1
    assert attempt(2, losses=LossConfig(prior="seed")) == 2
    assert attempt(3, config=FitConfig(steps=2, batch=5, seed=1)) == 3
    assert attempt(4, features=replace(plain_features, cues=("colour",))) == 4
    assert attempt(5, config=FitConfig(steps=2, batch=5, images=7)) == 5
    assert attempt(6) == 5


@pytest.mark.parametrize("damage", ["empty", "cut", "gone"])
def test_damaged_masks_are_made_again_to_the_same_end(
    damage: str, fit_small: Fit, tmp_path: Path
) -> None:
    fit_small("one")
    ((name, (whole, _)),) = priors(tmp_path / "cache").items()
    path = tmp_path / "cache" / "priors" / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else whole[:-3])
    again = Heard()
    fit_small("two", on_progress=again)
    assert again.of(STAGE) == list(range(1, 13))
    assert path.read_bytes() == whole
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_fit_that_is_done_needs_no_masks(fit_small: Fit, tmp_path: Path) -> None:
    fit_small("one")
    (path,) = (tmp_path / "cache" / "priors").iterdir()
    path.unlink()
    again = Heard()
    fit_small("one", on_progress=again)
    assert again.of(STAGE) == again.of("training") == []
    assert not path.exists()


@pytest.fixture(scope="module")
def undisturbed(
    photos: Path, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Heard]:
    """Folder of a fit with the prior `self`, `whole`, and of its cache, `other`; what it said."""
    folder, heard = tmp_path_factory.mktemp("undisturbed"), Heard()
    options = settings | {"losses": SELF, "cache": folder / "other"}
    fit(photos, folder / "whole", **options, on_progress=heard)
    return folder, heard


@pytest.fixture
def whole(undisturbed: tuple[Path, Heard], tmp_path: Path) -> Heard:
    """What it said; copies of the two are in `tmp_path`."""
    folder, heard = undisturbed
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return heard


def test_self_begins_with_a_head_that_the_three_losses_fit(
    whole: Heard, fit_small: Fit, tmp_path: Path
) -> None:
    assert whole.of("training") == [*range(1, 13), *range(1, 13)]
    assert whole.of(LESSONS) == list(range(1, LESSON_STEPS + 1))
    assert whole.of(STAGE) == list(range(1, 13))
    stages = list(dict.fromkeys(stage for stage, _ in whole.said))
    assert stages == [
        *("features", "training", LESSONS, STAGE, "objectness", "empty crops", "comparing"),
    ]
    fit_small("none", losses=LossConfig(prior="none"), head=Recipe().head)
    alone, same = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["head"]
        for name in ("whole/alone", "none")
    )
    assert alone.keys() == same.keys()
    assert all(torch.equal(alone[name], same[name]) for name in alone)
    assert (tmp_path / "whole" / "alone" / "log.jsonl").read_bytes() \
        == (tmp_path / "none" / "log.jsonl").read_bytes()  # fmt: skip
    logged = (tmp_path / "whole" / "log.jsonl").read_text().splitlines()
    assert logged
    assert all("prior" in json.loads(line) for line in logged)
    config = json.loads((tmp_path / "whole" / "config.json").read_text())
    assert config["head"]["groups"] == 4
    assert config["provenance"]["losses"]["prior"] == "self"


@pytest.mark.parametrize(
    ("stage", "time"),
    [("training", 3), ("training", 7), ("training", 12), (LESSONS, 2), (STAGE, 6),
     ("training", 15), ("training", 18)],
)  # fmt: skip
def test_a_stopped_self_goes_on_to_the_same_end(
    stage: str, time: int, whole: Heard, fit_small: Fit, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit_small("stopped", losses=SELF, on_progress=Heard(stage, time))
    second = Heard()
    fit_small("stopped", losses=SELF, on_progress=second)
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
    done = 5 * (time // 5) if time < 12 else 12
    alone_left = list(range(done + 1, 13)) if stage == "training" else []
    done = 5 * ((time - 12) // 5) if time > 12 else 0
    assert second.of("training") == [*alone_left, *range(done + 1, 13)]
    assert bool(second.of(STAGE)) == (time <= 12), "masks that were kept are not made again"


def test_what_self_has_found_serves_the_next_head(
    whole: Heard, fit_small: Fit, tmp_path: Path
) -> None:
    heard, cache = Heard(), tmp_path / "other"
    fit_small("next", losses=SELF, cache=cache, head=replace(HEAD, cut=0.5), on_progress=heard)
    assert heard.of("training") == list(range(1, 13))
    assert not (tmp_path / "next" / "alone").exists()
    (path,) = (cache / "priors").iterdir()
    assert load_masks(path, 12) is not None
    # Twelve steps may leave a head of no use; the masks are made before.
    with suppress(FitError):
        fit_small("changed", losses=replace(SELF, rank_decay=0.26), cache=cache)
    assert (tmp_path / "changed" / "alone").exists(), "other losses find something else"
    assert len(priors(cache)) == 2


def test_the_optimiser_follows_the_rate(fit_small: Fit, tmp_path: Path) -> None:
    fit_small("one", config=FitConfig(steps=20, batch=5, learning_rate=1e-2))
    state = torch.load(tmp_path / "one" / "checkpoint.pt", weights_only=True)
    (group,) = state["optimizer"]["param_groups"]
    assert group["lr"] == pytest.approx(1e-2 * (0.5 + 0.5 * math.cos(math.pi * 17 / 18)))

"""A prior chosen without a label: its criterion by hand, and what comes of it."""

import json
import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from heap.base.errors import ConfigError, FitError
from heap.base.progress import silent
from heap.config import FeatureConfig, HeadConfig, LossConfig
from heap.encoder.base import Encoder
from heap.encoder.load import load_encoder
from heap.encoder.registry import Recipe
from heap.features.store import FeatureStore
from heap.fitting.choosing import (
    SIDE,
    candidates,
    choose,
    compare_contrast,
    contrast,
    make_squares,
)
from heap.fitting.collect import collect
from heap.images import list_images
from heap.methods.found import FoundRecipe
from heap.model.heap import Heap

from .test_fit import Fit, fit_small, settings

__all__ = ["fit_small", "settings"]
RED, BLUE = (255, 0, 0), (0, 0, 255)


def half(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> np.ndarray:
    square = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    square[: SIDE // 2], square[SIDE // 2 :] = top, bottom
    return square


def upper(share: float) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[: round(share * SIDE)] = True
    return mask


def test_contrast_is_what_histograms_do_not_share() -> None:
    colours = np.array([[1, 1], [2, 3]])
    assert contrast(np.array([[True, True], [False, False]]), colours) == 1
    # Inside: one half 1, one half 2. Outside: one half 1, one half 3.
    assert contrast(np.array([[True, False], [True, False]]), colours) == 0.5
    assert contrast(np.ones((2, 2), dtype=bool), colours) == 0
    assert contrast(np.zeros((2, 2), dtype=bool), colours) == 0


def test_a_mask_that_would_do_for_any_image_fits_none() -> None:
    alike = [half(RED, BLUE)] * 4
    np.testing.assert_allclose(compare_contrast([upper(0.5)] * 4, alike), 0)


def test_a_mask_that_follows_its_own_image_fits_it() -> None:
    turned = [half(RED, BLUE), np.rot90(half(RED, BLUE)).copy()]
    masks = [upper(0.5), np.rot90(upper(0.5)).copy()]
    # On the other image each mask has as much of either colour inside as outside.
    np.testing.assert_allclose(compare_contrast(masks, turned), 1)
    np.testing.assert_allclose(compare_contrast(masks[::-1], turned), -1)


def test_a_later_prior_is_taken_if_it_is_ahead_beyond_chance() -> None:
    draw = np.random.default_rng(0)
    first = draw.uniform(0.1, 0.3, 100)
    fits = {"none": first, "self": first + draw.normal(0.001, 0.1, 100), "found": first + 0.02}
    prior, tried = choose(("none", "self", "found"), lambda name: fits[name])
    assert prior == "found"
    assert [each.prior for each in tried] == ["none", "self", "found"]
    assert choose(("none", "self"), lambda name: fits[name])[0] == "none"
    assert choose(("found", "none"), lambda name: fits[name])[0] == "found"


def test_heads_that_are_refused_are_no_choice() -> None:
    def try_out(prior: str) -> np.ndarray:
        if prior != "self":
            raise FitError(f"{prior} is of no use")
        return np.zeros(5)

    prior, tried = choose(("none", "self", "found"), try_out)
    assert prior == "self"
    assert [each.summary() for each in tried] == ["none is of no use", 0.0, "found is of no use"]
    with pytest.raises(FitError, match="none is of no use"):
        choose(("none", "found"), try_out)


def test_a_prior_of_the_encoder_is_tried_where_there_is_one(encoder: Encoder) -> None:
    assert candidates(encoder) == ("none", "self", "found")
    small = load_encoder("embedded-small", precision="fp32")
    assert candidates(small) == ("none", "self", "found", "encoder")


@pytest.fixture
def few_lessons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heap.fitting.priors.FoundRecipe", partial(FoundRecipe, steps=1))


@pytest.mark.usefixtures("few_lessons")
def test_auto_ends_with_the_head_of_the_prior_that_it_chose(fit_small: Fit, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"head": HeadConfig(groups=4, blocks=1, heads=2, width=16)}
    heap = fit_small(tmp_path / "auto", losses=LossConfig(prior="auto"), **settings)
    about = json.loads((tmp_path / "auto" / "config.json").read_text())["provenance"]
    chosen = about["losses"]["prior"]
    assert set(about["priors"]) == {"none", "self", "found"}
    assert isinstance(about["priors"][chosen], float)
    alone = fit_small(tmp_path / "alone", losses=LossConfig(prior=chosen), **settings)
    for name, value in heap.head.state_dict().items():
        torch.testing.assert_close(value, alone.head.state_dict()[name])
    saved = Heap.from_pretrained(tmp_path / "auto", precision="fp32")
    assert saved.fingerprint == heap.fingerprint


@pytest.mark.usefixtures("few_lessons")
def test_auto_goes_on_where_it_was_stopped(fit_small: Fit, tmp_path: Path) -> None:
    whole = fit_small(tmp_path / "whole", losses=LossConfig(prior="auto"))
    stages = list[str]()

    def stop(stage: str, done: int, total: int | None) -> None:
        stages.append(stage)
        if stage == "training, prior found" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_small(tmp_path / "part", losses=LossConfig(prior="auto"), on_progress=stop)
    before = stages.count("training, prior none")
    stages.clear()
    again = fit_small(
        tmp_path / "part",
        losses=LossConfig(prior="auto"),
        on_progress=lambda stage, done, total: stages.append(stage),
    )
    assert before > 1
    assert "training, prior none" not in stages
    assert again.fingerprint == whole.fingerprint


@pytest.mark.usefixtures("few_lessons")
@pytest.mark.parametrize("usual", [True, False], ids=["usual head", "another head"])
def test_the_head_by_three_losses_is_not_trained_twice_where_it_is_the_same(
    fit_small: Fit, tmp_path: Path, usual: bool
) -> None:
    stages = list[str]()
    head = Recipe().head if usual else HeadConfig(groups=4, blocks=1, heads=2, width=16)
    options: dict[str, Any] = {"head": head, "on_progress": lambda stage, *_: stages.append(stage)}
    fit_small(tmp_path / "auto", losses=LossConfig(prior="auto"), **options)
    steps = stages.count("training, prior none")
    assert stages.count("training, prior self") == (steps if usual else 2 * steps)


def test_priors_are_compared_without_an_image_that_is_gone(
    photos: Path, encoder: Encoder, feature_config: FeatureConfig, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    folder = shutil.copytree(photos, tmp_path / "photos")
    store = FeatureStore(tmp_path / "features", encoder, feature_config)
    with ThreadPoolExecutor(1) as pool:
        images = collect(list(list_images(folder)), encoder, store, pool, silent)
    (folder / "03.png").unlink()
    with caplog.at_level(logging.WARNING):
        assert list(make_squares(images)) == [0, 1, 2, *range(4, 12)]
    assert "priors are compared without 03.png" in caplog.text
    shutil.rmtree(folder)
    with pytest.raises(FitError, match="none of the images can be read again"):
        make_squares(images)


def test_one_prior_and_the_best_of_several_do_not_share_a_folder(
    fit_small: Fit, tmp_path: Path
) -> None:
    fit_small(tmp_path / "out")
    with pytest.raises(ConfigError, match="holds a fit by one prior, and this is one with --prior"):
        fit_small(tmp_path / "out", losses=LossConfig(prior="auto"))

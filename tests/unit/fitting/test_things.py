"""Objectness is learned at the end of a fit, from what the head says of the images themselves."""

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from heap.base.progress import silent
from heap.features.store import FeatureStore
from heap.fitting.collect import Collected, collect
from heap.fitting.things import STAGE, learn_things
from heap.images import list_images
from heap.model.discriminant import Discriminant
from heap.model.heap import Heap
from heap.model.objectness import SHARE, Objectness
from heap.model.separation import likeness


@pytest.fixture
def untaught(model_folder: Path) -> Heap:
    """A fitted head that has learned neither objectness nor what tells things apart."""
    heap = Heap.from_pretrained(model_folder, precision="fp32")
    heap.head.objectness = Objectness(len(heap.head.centre))
    heap.head.discriminant = Discriminant(len(heap.head.centre))
    return heap


@pytest.fixture
def images(photos: Path, untaught: Heap, tmp_path: Path) -> Collected:
    folder = shutil.copytree(photos, tmp_path / "photos")
    store = FeatureStore(tmp_path / "features", untaught.encoder, untaught.config.features)
    with ThreadPoolExecutor(1) as pool:
        return collect(list(list_images(folder)), untaught.encoder, store, pool, silent)


def test_foreground_is_more_of_a_thing_than_background(untaught: Heap, images: Collected) -> None:
    before = untaught.analyse(images[0]).saliency
    said: list[tuple[str, int, int | None]] = []
    learn_things(untaught, images, lambda *step: said.append(step))
    assert [step for step in said if step[0] == STAGE] == [
        (STAGE, done, 12) for done in range(1, 13)
    ]
    assert untaught.head.objectness.share == SHARE
    after = untaught.analyse(images[0])
    things, rest = after.objectness[before > 0.5], after.objectness[before < 0.2]
    assert things.mean() > 0.5 > rest.mean()


def test_as_much_is_a_thing_as_was_foreground(untaught: Heap, images: Collected) -> None:
    features = [images[index] for index in range(len(images))]
    before = [untaught.analyse(image).saliency for image in features]
    learn_things(untaught, images, silent)
    after = [untaught.analyse(image).saliency for image in features]
    # The saliency is half the old one and half objectness, so this takes the latter out again.
    things = [2 * new - old > 0.5 for old, new in zip(before, after, strict=True)]
    foreground = np.mean([(old > 0.5).mean() for old in before])
    assert np.mean([part.mean() for part in things]) == pytest.approx(foreground, abs=0.005)


def test_an_image_that_is_gone_gives_no_crop_and_ends_nothing(
    untaught: Heap, images: Collected, caplog: pytest.LogCaptureFixture
) -> None:
    Path(images.sources[3].location).unlink()
    with caplog.at_level(logging.WARNING):
        learn_things(untaught, images, silent)
    assert f"no empty crop of {images.sources[3].key}" in caplog.text
    assert untaught.head.objectness.share == SHARE


def test_a_head_that_finds_nothing_learns_nothing(untaught: Heap, images: Collected) -> None:
    with torch.no_grad():
        untaught.head.score.weight.zero_()
        untaught.head.score.bias.fill_(-9)
    before = untaught.analyse(images[0]).saliency
    learn_things(untaught, images, silent)
    assert untaught.head.objectness.share == 0
    assert untaught.defaults.merge == -1
    assert np.array_equal(untaught.analyse(images[0]).saliency, before)


def test_a_share_of_the_things_would_be_cut(
    untaught: Heap, images: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a half for the share, the cosine is the median of those between halves of the things."""
    cosines: list[float] = []

    def keep(*values: Any) -> float:
        cosines.append(likeness(*values))
        return cosines[-1]

    monkeypatch.setattr("heap.fitting.things.likeness", keep)
    untaught.config = replace(untaught.config, head=replace(untaught.config.head, cut=0.5))
    learn_things(untaught, images, silent)
    assert len(cosines) == len(images), "every photo shows a thing"
    assert untaught.defaults.merge == pytest.approx(np.median(cosines), abs=5e-4)

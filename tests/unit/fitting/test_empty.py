"""Crops without foreground: the rectangles, the pictures, and fits that see them."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from heap.base.progress import silent
from heap.config import FeatureConfig, FitConfig, HeadConfig, LossConfig
from heap.encoder.base import Encoder
from heap.features.describe import describe
from heap.features.store import FeatureStore
from heap.fitting.collect import Collected, collect
from heap.fitting.command import fit
from heap.fitting.empty import STAGE, Crop, find_crops, largest_rectangle
from heap.images import Picture, list_images
from heap.model.heap import Heap


@given(
    free=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=7)),
    ratio=st.sampled_from([1.0, 1.5, 2.0, 3.0]),
)
def test_the_rectangle_is_the_largest_of_all(free: np.ndarray, ratio: float) -> None:
    rows, cols = free.shape
    areas = [
        (bottom - top) * (right - left)
        for top in range(rows)
        for bottom in range(top + 1, rows + 1)
        for left in range(cols)
        for right in range(left + 1, cols + 1)
        if free[top:bottom, left:right].all()
        and max(bottom - top, right - left) <= ratio * min(bottom - top, right - left)
    ]
    span = largest_rectangle(free, ratio)
    if span is None:
        assert not areas
        return
    top, left, bottom, right = span
    assert 0 <= top < bottom <= rows
    assert 0 <= left < right <= cols
    assert free[top:bottom, left:right].all()
    tall, wide = bottom - top, right - left
    assert max(tall, wide) <= ratio * min(tall, wide)
    assert tall * wide == max(areas)


def test_rectangles_by_hand() -> None:
    free = np.array([[1, 1, 1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 0, 0, 0, 0]], dtype=bool)
    assert largest_rectangle(free, 8.0) == (0, 0, 1, 8)
    assert largest_rectangle(free, 2.0) == (0, 1, 2, 3)
    assert largest_rectangle(free[:1], 3.0) == (0, 2, 1, 5), "in the middle of the run"
    assert largest_rectangle(np.zeros((2, 3), dtype=bool), 3.0) is None


def test_a_crop_is_its_part_of_the_picture(pictures: list[Picture]) -> None:
    picture = pictures[0]
    height, width = picture.pixels.shape[:2]
    crop = Crop(0, (1, 2, 3, 5), (4, 6))
    found = crop.cut(picture)
    part = picture.pixels[height // 4 : 3 * height // 4, width // 3 : 5 * width // 6]
    assert np.array_equal(found.pixels, part)
    assert (found.height, found.width) == part.shape[:2]
    digests = {found.digest, picture.digest, crop.digest("other")}
    digests |= {replace(crop, span=(1, 2, 3, 4)).digest(picture.digest)}
    assert len(digests) == 4
    assert found.digest == crop.digest(picture.digest)


def test_a_crop_of_an_image_that_has_fewer_pixels_than_patches_is_not_empty() -> None:
    pixels = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    small = Crop(0, (0, 22, 10, 32), (32, 32)).cut(Picture("tiny", pixels, 3, 3, "", None))
    assert (small.width, small.height) == (1, 1)
    assert np.array_equal(small.pixels, pixels[:1, 2:])


@pytest.fixture
def images(
    photos: Path, encoder: Encoder, feature_config: FeatureConfig, tmp_path: Path
) -> Collected:
    store = FeatureStore(tmp_path / "features", encoder, feature_config)
    with ThreadPoolExecutor(1) as pool:
        return collect(list(list_images(photos)), encoder, store, pool, silent)


def test_crops_have_features_of_their_own_and_keep_them(
    images: Collected, encoder: Encoder, feature_config: FeatureConfig, pictures: list[Picture]
) -> None:
    """Foreground everywhere but in a corner, which is too small in every third image."""
    masks = []
    for index in range(12):
        mask = torch.ones(images[index].grid, dtype=torch.bool)
        side = 1 if index % 3 == 0 else 4
        mask[:side, :side] = False
        masks.append(mask.flatten())
    said: list[tuple[str, int, int | None]] = []
    crops = find_crops(images, masks, lambda *each: said.append(each))
    assert len(crops) == 8
    assert [crop.index for crop in crops.crops] == [n for n in range(12) if n % 3]
    assert said == [(STAGE, 8, 8)]
    for number, crop in enumerate(crops.crops):
        assert crop.span == (0, 0, 4, 4)
        part = crop.cut(pictures[crop.index])
        (fresh,) = describe(encoder, [part], feature_config, boundary=True)
        assert crops[number].grid == fresh.grid
        torch.testing.assert_close(crops[number].patches, fresh.patches, atol=2e-3, rtol=0)
    again = find_crops(images, masks, lambda *_: pytest.fail("nothing is computed again"))
    assert again.digests == crops.digests
    for path in images.store.folder.rglob(f"{crops.digests[0]}*"):
        path.unlink()
    torch.testing.assert_close(again[0].patches, crops[0].patches, atol=2e-3, rtol=0)


def test_a_fit_with_empty_crops_goes_on_to_the_same_end(
    photos: Path, feature_config: FeatureConfig, tmp_path: Path
) -> None:
    config = FitConfig(steps=12, batch=6, learning_rate=2e-2, checkpoint_every=5, empty=0.34)

    def fitted(name: str, on_progress: Callable[..., None] = silent, **options: Any) -> Heap:
        settings: dict[str, Any] = {"config": config, "cache": tmp_path / f"{name}-cache"} | options
        return fit(
            photos, tmp_path / name, features=feature_config, precision="fp32",
            head=HeadConfig(groups=4, blocks=1, heads=2, width=16),
            losses=LossConfig(prior="boundary"), on_progress=on_progress, **settings,
        )  # fmt: skip

    def stop(stage: str, done: int, total: int | None) -> None:
        if (stage, done) == ("training", 7):
            raise KeyboardInterrupt

    whole = fitted("whole")
    with pytest.raises(KeyboardInterrupt):
        fitted("stopped", stop)
    assert fitted("stopped").fingerprint == whole.fingerprint
    without = fitted("without", config=replace(config, empty=0.0))
    assert without.fingerprint != whole.fingerprint
    settings = json.loads((tmp_path / "whole" / "config.json").read_text())["provenance"]["fit"]
    assert settings["empty"] == 0.34

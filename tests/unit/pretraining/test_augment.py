import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from torch import Tensor

from heap.pretraining.augment import random_crops, recolour


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def coordinates(batch: int, side: int) -> Tensor:
    """Images whose first two channels are x and y, in [0, 1], at the centres of their pixels."""
    at = (torch.arange(side) + 0.5) / side
    rows, cols = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([cols, rows, torch.zeros(side, side)]).expand(batch, -1, -1, -1)


@settings(max_examples=examples(20))
@given(seed=st.integers(0, 1000))
def test_the_map_is_cropped_as_the_image_is(seed: int) -> None:
    images = coordinates(4, 64)
    crops = random_crops(images, 32, (0.2, 1.0), generator(seed))
    for channel in (0, 1):
        torch.testing.assert_close(crops.sample(images[:, channel], 32), crops.pixels[:, channel])
    # A coarser grid over the same crop has the same values at the same places.
    coarse = crops.sample(images[:, 0], 8)
    fine = crops.pixels[:, 0].unflatten(1, (8, 4)).unflatten(3, (8, 4)).mean(dim=(2, 4))
    torch.testing.assert_close(coarse, fine, atol=0.02, rtol=0)


def test_crops_have_the_area_that_was_asked_for_and_lie_inside() -> None:
    images = coordinates(400, 64)
    crops = random_crops(images, 32, (0.2, 0.5), generator())
    x, y = crops.pixels[:, 0], crops.pixels[:, 1]
    step = 32 / 31
    width = (x.amax(dim=(1, 2)) - x.amin(dim=(1, 2))) * step
    height = (y.amax(dim=(1, 2)) - y.amin(dim=(1, 2))) * step
    area, ratio = width * height, width / height
    assert 0.18 < area.min() < 0.23
    assert 0.45 < area.max() < 0.52
    assert 0.7 < ratio.min() < 0.8
    assert 1.25 < ratio.max() < 1.4
    mirrored = (x[:, 0, 0] > x[:, 0, -1]).float().mean()
    assert 0.4 < mirrored < 0.6
    corners = crops.transform @ torch.tensor([[-1.0, 1.0], [-1.0, 1.0], [1.0, 1.0]])
    assert corners.abs().max() <= 1 + 1e-6


def test_the_whole_image_is_a_crop() -> None:
    images = torch.rand(8, 3, 16, 16, generator=generator())
    crops = random_crops(images, 16, (4.0, 4.0), generator())
    for crop, image in zip(crops.pixels, images, strict=True):
        expected = [image, image.flip(-1)]
        assert any(torch.allclose(crop, each, atol=1e-5) for each in expected)


@pytest.mark.parametrize("seed", [0, 1])
def test_recolouring_keeps_colours_colours_and_comes_from_the_seed(seed: int) -> None:
    images = torch.rand(50, 3, 12, 12, generator=generator())
    first, again = (recolour(images, generator(seed)) for _ in range(2))
    other = recolour(images, generator(seed + 10))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0 <= first.min() < first.max() <= 1
    assert first.isfinite().all()
    greys = (first.std(dim=1).amax(dim=(1, 2)) < 1e-3).float().mean()
    assert 0.04 < greys < 0.4


def test_recolouring_moves_nothing() -> None:
    """A single bright pixel stays the brightest; blurring spreads it by one pixel at most."""
    images = torch.full((40, 3, 9, 9), 0.3)
    images[:, :, 4, 6] = 0.9
    out = recolour(images, generator()).mean(dim=1)
    away = math.inf
    for each in out:
        row, col = divmod(int(each.argmax()), 9)
        away = max(abs(row - 4), abs(col - 6))
        assert away <= 1
        background = each[:, :5]
        assert background.max() - background.min() < 1e-5

import math

import pytest
import torch
from torch import Tensor

from heap.peers.found import background_seed, train_found

ATTENTION = torch.tensor([[[0.4, 0.1, 0.1, 0.2], [0.1, 0.1, 0.3, 0.1]]])
"""Two heads, four patches; the mean is 0.175, so half of the patches of the first head are above
it and a quarter of the second's: β = log(¾ / ½) and log(¾ / ¼)."""
FIRST, SECOND = math.log(1.5), math.log(3)


def test_the_seed_by_hand() -> None:
    weighted = [FIRST * a + SECOND * b for a, b in zip(*ATTENTION[0].tolist(), strict=True)]
    assert weighted.index(min(weighted)) == 1
    # One channel a head. Seen from patch 1, (1, 0), the cosine of (1, v) is
    # FIRST / √(FIRST² + (v SECOND)²): 0.346 for v = 1 and 0.294 for v = 1.2.
    keys = torch.tensor([[[1, 1], [1, 0], [1, 1.2], [-1, 0.1]]])
    assert FIRST / math.hypot(FIRST, SECOND) > 0.3 > FIRST / math.hypot(FIRST, 1.2 * SECOND)
    assert background_seed(keys, ATTENTION).tolist() == [[True, True, False, False]]
    assert background_seed(keys, ATTENTION, 0.29).tolist() == [[True, True, True, False]]


def test_images_of_a_batch_are_on_their_own() -> None:
    generator = torch.Generator().manual_seed(0)
    keys = torch.randn(3, 4, 6, generator=generator)
    attention = torch.rand(3, 2, 4, generator=generator)
    together = background_seed(keys, attention)
    for image in range(3):
        alone = background_seed(keys[image : image + 1], attention[image : image + 1])
        assert torch.equal(alone[0], together[image])


def test_a_head_with_nothing_above_the_mean_gives_no_nan() -> None:
    attention = torch.tensor([[[0.1, 0.1], [0.5, 0.6]]])
    assert background_seed(torch.ones(1, 2, 4), attention).all()


def toy(seed: int, noise: float) -> tuple[Tensor, Tensor]:
    """Two clouds of patches about (1, -1, 0, 0) and its opposite, and a teacher that errs."""
    generator = torch.Generator().manual_seed(seed)
    background = torch.rand(20, 60, generator=generator) < 0.6
    middle = torch.tensor([1.0, -1.0, 0.0, 0.0])
    features = torch.where(background[..., None], -middle, middle)
    features = features + 0.5 * torch.randn(20, 60, 4, generator=generator)
    return features, background ^ (torch.rand(20, 60, generator=generator) < noise)


@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_the_layer_learns_what_can_be_told_apart_by_a_line(noise: float) -> None:
    layer = train_found(*toy(0, noise))
    features, background = toy(1, 0.0)
    right = (layer(features) > 0) != background
    assert right.float().mean() > 0.98
    assert not any(weight.requires_grad for weight in layer.parameters())


def test_the_same_seed_gives_the_same_layer_and_leaves_other_draws_alone() -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    layers = [train_found(*toy(0, 0.1), seed=seed) for seed in (7, 7, 8)]
    assert torch.equal(torch.rand(3), expected)
    weights = [layer.linear.weight for layer in layers]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])

import math

import pytest
import torch

from heap.pretraining.objective import (
    ProjectionHead,
    cross_entropy,
    dense_loss,
    random_blocks,
    sinkhorn,
    smooth_by_colour,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("temperature", [0.06, 0.5])
def test_sinkhorn_uses_every_prototype_alike(temperature: float) -> None:
    logits = torch.rand(64, 8, generator=generator())
    # All rows like the first prototype best: without balance it would take everything.
    logits[:, 0] += 0.3
    plan = sinkhorn(logits, temperature, iterations=50)
    torch.testing.assert_close(plan.sum(dim=1), torch.ones(64))
    torch.testing.assert_close(plan.sum(dim=0), torch.full((8,), 8.0), rtol=0.02, atol=0)
    three = sinkhorn(logits, temperature)
    torch.testing.assert_close(three.sum(dim=1), torch.ones(64))
    share = three.mean(dim=0)
    plain = (logits / temperature).softmax(dim=1).mean(dim=0)
    assert share.max() < plain.max()


def test_sinkhorn_survives_extreme_scores() -> None:
    logits = torch.zeros(4, 3)
    logits[:, 0], logits[0, 2] = 1.0, -1.0
    plan = sinkhorn(logits, 0.005)
    assert plan.isfinite().all()
    assert sinkhorn(torch.ones(1, 5), 0.06).tolist() == [pytest.approx([0.2] * 5)]


def test_cross_entropy_by_hand() -> None:
    target = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    logits = torch.tensor([[0.2, 0.0], [0.0, 0.0]])
    first = -math.log(math.exp(2) / (math.exp(2) + 1))
    expected = (first + math.log(2)) / 2
    assert cross_entropy(target, logits, 0.1).item() == pytest.approx(expected)


def test_projections_are_cosines() -> None:
    torch.manual_seed(0)
    head = ProjectionHead(6, 5, hidden=8, bottleneck=4)
    tokens = torch.randn(3, 7, 6, generator=generator())
    out = head(tokens)
    assert out.shape == (3, 7, 5)
    projected, prototypes = head.mlp(tokens), head.prototypes.weight
    for image in range(3):
        for patch in range(7):
            for number in range(5):
                expected = torch.cosine_similarity(
                    projected[image, patch], prototypes[number], dim=0
                )
                torch.testing.assert_close(out[image, patch, number], expected)


def test_blocks_are_rectangles_of_about_the_share_in_half_of_the_rows() -> None:
    masks = random_blocks(600, 12, 16, 0.35, generator()).unflatten(1, (12, 16))
    covered = masks.float().mean(dim=(1, 2))
    used = covered > 0
    assert 0.4 < used.float().mean() < 0.6
    assert 0.25 < covered[used].mean() < 0.4
    for mask in masks[used]:
        rows, cols = mask.any(dim=1), mask.any(dim=0)
        assert mask.sum() == rows.sum() * cols.sum()
        assert torch.equal(mask, rows[:, None] & cols[None])
    again = random_blocks(600, 12, 16, 0.35, generator()).unflatten(1, (12, 16))
    assert torch.equal(masks, again)


@pytest.mark.parametrize(
    ("trust", "target"), [(0.0, 0.2), (1.0, 1 / 3), (0.5, 0.8 / 3), (0.3, 0.24)]
)
def test_the_prior_gives_way_to_the_teacher(trust: float, target: float) -> None:
    logits, prior, taught = (torch.tensor([[value]]) for value in (1.0, 0.2, 1 / 3))
    p = 1 / (1 + math.exp(-1))
    expected = -(target * math.log(p) + (1 - target) * math.log(1 - p))
    assert dense_loss(logits, prior, taught, trust).item() == pytest.approx(expected, rel=1e-5)


def test_near_patches_of_one_colour_agree() -> None:
    """By loops, on two images; and what it is for: a stray patch joins those of its colour."""
    draw = generator()
    foreground = torch.rand(2, 12, generator=draw)
    colours = 0.2 * torch.rand(2, 3, 3, 4, generator=draw)
    found = smooth_by_colour(foreground, colours)
    for image, patch in [(0, 0), (0, 7), (1, 11)]:
        row, col = divmod(patch, 4)
        total = weights = 0.0
        for other in range(12):
            down, right = divmod(other, 4)
            step = colours[image, :, row, col] - colours[image, :, down, right]
            near = ((row - down) / 3) ** 2 + ((col - right) / 4) ** 2
            weight = math.exp(-float(step.square().sum()) / 0.05**2 / 2 - near / 0.1**2 / 2)
            total += weight * float(foreground[image, other])
            weights += weight
        assert float(found[image, patch]) == pytest.approx(total / weights, abs=1e-4)
    sides = torch.zeros(1, 3, 8, 8)
    sides[..., 4:] = 1
    stray = sides[:, 0].flatten(1).clone()
    stray[0, 3 * 8 + 1] = 1
    mended = smooth_by_colour(stray, sides)
    assert torch.equal(mended > 0.5, sides[:, 0].flatten(1) > 0.5)

import numpy as np
import pytest
import torch
from torch import Tensor

from heap.model.whitening import RIDGE, Whitening


def images(count: int = 6, patches: int = 50, dim: int = 5) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    mixed = torch.randn(dim, dim, generator=generator) * torch.tensor([9.0, 3.0, 1.0, 0.3, 0.1])
    each = (torch.randn(patches + at, dim, generator=generator) for at in range(count))
    return [patch @ mixed.mT + 4 for patch in each]


def learned(found: list[Tensor], ridge: float = RIDGE) -> Whitening:
    whitening = Whitening(found[0].shape[1])
    whitening.learn(found, ridge)
    return whitening


def test_nothing_learned_changes_nothing() -> None:
    (patches,) = images(1)
    assert torch.equal(Whitening(5)(patches), patches)


def test_it_is_the_ridged_whitening_of_all_patches_together() -> None:
    found = images()
    joined = torch.cat(found).double().numpy()
    white = learned(found)(torch.cat(found)).double().numpy()
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-3)
    covariance = np.cov(joined.T, bias=True)
    ridge = RIDGE * np.trace(covariance) / 5
    # Directions are kept, each variance v becomes v / (v + ridge).
    expected = np.linalg.solve(covariance + ridge * np.eye(5), covariance)
    np.testing.assert_allclose(np.cov(white.T, bias=True), expected, atol=1e-4)


def test_it_is_linear() -> None:
    found = images()
    whitening = learned(found)
    torch.testing.assert_close(
        whitening(found[0].mean(dim=0)), whitening(found[0]).mean(dim=0), rtol=0, atol=1e-5
    )


def test_the_order_of_the_images_does_not_matter() -> None:
    found = images()
    first, second = learned(found), learned(found[::-1])
    torch.testing.assert_close(first.matrix, second.matrix, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(first.mean, second.mean)


def test_images_of_one_colour_do_no_harm() -> None:
    flat = torch.ones(7, 5)
    assert learned([flat, flat])(flat).isfinite().all()


def test_what_patches_differ_in_anyhow_counts_less() -> None:
    """Eight kinds of things in light of any strength and colour: alike are those of a kind."""
    generator = torch.Generator().manual_seed(4)
    kinds = torch.arange(100) % 8
    light = 6 * torch.randn(100, 6, generator=generator)
    patches = torch.cat([light, 4 * torch.eye(8)[kinds]], dim=1)

    def share_of_alike(embeddings: Tensor) -> float:
        directions = torch.nn.functional.normalize(embeddings, dim=-1)
        nearest = (directions @ directions.mT - 2 * torch.eye(100)).argmax(dim=1)
        return float((kinds[nearest] == kinds).float().mean())

    assert share_of_alike(patches) < 0.5
    assert share_of_alike(learned([patches])(patches)) > 0.9


def test_whitened_by_hand() -> None:
    """Variances 8 and 2 in the directions of the axes, so a mean of 5 and a ridge of 1 = 0.2 · 5.

    (4, 0) is 4 from the mean: 4 / √(8 + 1); (0, 2) is 2 / √(2 + 1).
    """
    rows = torch.tensor([[4.0, 0], [-4, 0], [0, 2], [0, -2]]) + torch.tensor([10.0, -3])
    whitening = learned([rows[:1], rows[1:]], ridge=0.2)
    torch.testing.assert_close(whitening.mean, torch.tensor([10.0, -3]))
    expected = torch.tensor([[4 / 3, 0], [-4 / 3, 0], [0, 2 / 3**0.5], [0, -2 / 3**0.5]])
    torch.testing.assert_close(whitening(rows), expected)


def test_no_direction_takes_all() -> None:
    """A direction of a thousand times the deviation of the others, and no axis among them."""
    generator = torch.Generator().manual_seed(0)
    turned = torch.linalg.qr(torch.randn(6, 6, generator=generator)).Q
    spread = torch.tensor([1000.0, 1, 1, 1, 1, 1])
    rows = (torch.randn(4000, 6, generator=generator) * spread) @ turned
    covariance = learned([rows], ridge=1e-9)(rows).T.cov()
    torch.testing.assert_close(covariance, torch.eye(6), atol=0.02, rtol=0)


@pytest.mark.parametrize("ridge", [RIDGE, 0.0])
def test_features_that_never_vary_become_zero(ridge: float) -> None:
    rows = torch.full((8, 3), 7.0)
    assert learned([rows], ridge=ridge)(rows).abs().max() == 0

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from heap.config import HeadConfig
from heap.features.describe import PatchFeatures
from heap.model.analysing import analyse
from heap.model.head import GroupingHead
from heap.model.objectness import PENALTY, SHARE, Objectness


@pytest.fixture
def head() -> GroupingHead:
    torch.manual_seed(0)
    return GroupingHead(6, 4, HeadConfig(groups=4, blocks=1, heads=2, width=8)).eval()


def clusters(things: int, background: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Means of things along one axis and of background along another, of any length."""
    draw = torch.Generator().manual_seed(0)
    axes = torch.eye(4)
    return tuple(  # type: ignore[return-value]
        (axes[axis] + 0.3 * torch.randn(count, 4, generator=draw)) * (1 + axis)
        for axis, count in ((0, things), (1, background))
    )


def test_before_it_has_learned_everything_is_a_thing() -> None:
    layer = Objectness(4)
    assert layer(torch.randn(5, 4)).tolist() == [1] * 5
    assert layer.share == 0
    layer.learn(torch.randn(3, 4), torch.zeros(0, 4))
    layer.learn(torch.zeros(0, 4), torch.randn(3, 4))
    assert layer.share == 0, "nothing is learned without the other side"


def test_weights_are_those_of_a_balanced_logistic_regression() -> None:
    """The same minimum by SciPy: 3 things and 30 pieces of background count the same."""
    things, background = clusters(3, 30)
    layer = Objectness(4)
    layer.learn(things, background)
    rows = torch.cat([things, background]).double().numpy()
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    signs = np.array([1] * 3 + [-1] * 30)
    counts = np.array([33 / 6] * 3 + [33 / 60] * 30)

    def loss(values: np.ndarray) -> float:
        margins = signs * (rows @ values[:4] + values[4])
        return float(PENALTY * values[:4] @ values[:4] / 2 + counts @ np.logaddexp(0, -margins))

    least = minimize(loss, np.zeros(5), tol=1e-10).x
    assert layer.weight.numpy() == pytest.approx(least[:4], abs=0.02)
    assert float(layer.bias) == pytest.approx(least[4], abs=0.02)


def test_it_looks_at_directions_only_and_tells_new_things_from_background() -> None:
    layer = Objectness(4)
    layer.learn(*clusters(20, 20))
    thing, background = torch.eye(4)[:2]
    assert layer(thing) > 0.9 > 0.1 > layer(background)
    torch.testing.assert_close(layer(7 * thing), layer(thing))


def test_saliency_is_half_by_region_and_half_by_objectness(head: GroupingHead) -> None:
    """The head itself is unchanged: only what is made of it."""
    grid = (4, 5)
    patches = torch.randn(20, len(head.centre), generator=torch.Generator().manual_seed(1))
    image = PatchFeatures(patches, torch.zeros(1, 20), None, grid)
    before = analyse(head, image, 3)
    assert (before.objectness == 1).all()
    with torch.no_grad():
        head.objectness.weight.copy_(torch.randn(len(head.centre)))
        head.objectness.share.fill_(SHARE)
    after = analyse(head, image, 3)
    assert 0 < after.objectness.min() < after.objectness.max() < 1
    np.testing.assert_allclose(after.saliency, (before.saliency + after.objectness) / 2, atol=1e-6)
    with torch.no_grad():
        head.objectness.lift.fill_(1.5)
    lifted = analyse(head, image, 3)
    assert (lifted.objectness == after.objectness).all(), "scores of parts are not lifted"
    odds = after.objectness / (1 - after.objectness) * np.exp(1.5)
    expected = (before.saliency + odds / (1 + odds)) / 2
    np.testing.assert_allclose(lifted.saliency, expected, atol=1e-6)


@given(st.integers(0, 30), st.integers(0, 10_000))
def test_as_many_patches_are_lifted_to_a_half_as_asked_for(count: int, seed: int) -> None:
    layer, random = Objectness(4), torch.Generator().manual_seed(seed)
    layer.learn(*clusters(20, 20))
    patches = torch.randn(30, 4, generator=random)
    layer.calibrate([patches[:7], patches[7:]], count / 30)
    lifted = layer.blend(torch.zeros(30), patches) / SHARE
    # With nothing to lift, the one that is most like a thing is at a half.
    assert (lifted > 0.5 - 1e-5).sum() == max(1, count)


def test_nothing_is_calibrated_before_it_has_learned() -> None:
    layer = Objectness(4)
    layer.calibrate([torch.randn(5, 4)], 0.5)
    assert layer.lift == 0
    saliency = torch.rand(5)
    assert torch.equal(layer.blend(saliency, torch.randn(5, 4)), saliency)

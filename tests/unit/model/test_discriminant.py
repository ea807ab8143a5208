"""What varies from thing to thing tells things apart; what varies within them does not."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from heap.model.discriminant import Discriminant


def things(count: int = 40, patches: int = 30, dim: int = 9) -> list[Tensor]:
    """Things whose patches vary about their mean, in some directions more than in others."""
    generator = torch.Generator().manual_seed(5)
    within = torch.linspace(0.2, 3, dim)
    return [
        torch.randn(dim, generator=generator)
        + torch.randn(patches, dim, generator=generator) * within
        for _ in range(count)
    ]


def learned(examples: list[Tensor]) -> Discriminant:
    discriminant = Discriminant(examples[0].shape[1])
    discriminant.learn(examples)
    return discriminant


def cosines(features: Tensor) -> np.ndarray:
    directions = torch.nn.functional.normalize(features.double(), dim=-1)
    return np.asarray(directions @ directions.mT)


def test_cosines_are_those_of_fishers_discriminant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the ridge, and where all things are of one size, it is that of scikit-learn."""
    monkeypatch.setattr("heap.model.discriminant.RIDGE", 0.0)
    examples = things()
    labels = np.repeat(np.arange(len(examples)), len(examples[0]))
    oracle = LinearDiscriminantAnalysis(solver="eigen", n_components=3)
    oracle.fit(torch.cat(examples).double().numpy(), labels)
    means = torch.stack([patches.mean(dim=0) for patches in examples])
    theirs = torch.from_numpy(oracle.transform(means.double().numpy()))
    np.testing.assert_allclose(cosines(learned(examples)(means)), cosines(theirs), atol=1e-4)


def test_head_and_body_are_alike_and_two_animals_are_not() -> None:
    """Animals differ by the first two channels, head and body of all of them by the third."""
    turns = torch.arange(12) * torch.pi / 6
    kinds = torch.stack([turns.cos(), turns.sin(), 0 * turns], dim=1)
    part = torch.tensor([0.0, 0.0, 2.0])
    animals = [torch.stack([kind + part, kind - part]) for kind in kinds]
    wide = [torch.nn.functional.pad(animal, (0, 3)) for animal in animals]  # two directions kept
    after = learned(wide)(torch.cat(wide))
    assert cosines(torch.cat(wide))[0, 1] < 0, "before, head and body of one are unlike"
    assert cosines(after)[0, 1] > 0.99
    assert cosines(after)[0, 6] < 0.1, "heads of two animals that are a quarter turn apart"


def test_the_order_of_the_things_does_not_matter() -> None:
    examples = things()
    first, second = learned(examples), learned(examples[::-1])
    torch.testing.assert_close(first.matrix, second.matrix, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_things_teach_nothing(count: int) -> None:
    discriminant = Discriminant(9)
    discriminant.learn(things(count))
    assert torch.equal(discriminant.matrix, torch.eye(9))
    assert discriminant.merge == -1, "all is one thing"


@pytest.mark.parametrize("examples", [
    [torch.ones(3, 6), torch.ones(2, 6)],
    [torch.ones(1, 6), torch.zeros(1, 6)],
])  # fmt: skip
def test_things_that_do_not_vary_do_no_harm(examples: list[Tensor]) -> None:
    assert learned(examples)(examples[0]).isfinite().all()


def test_the_cosine_is_that_below_which_the_share_lies() -> None:
    discriminant = Discriminant(4)
    discriminant.calibrate([0.1, 0.2, 0.4, 0.8, 1.0], 0.25)
    assert discriminant.merge == 0.2
    discriminant.calibrate([], 0.25)
    assert discriminant.merge == 0.2, "nothing is learned from nothing"

"""The losses of a step: which crops meet, and what is left when nothing is hidden."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from heap.pretraining.losses import (
    alike_loss,
    cosine_loss,
    foreground_loss,
    image_loss,
    measure_collapse,
    patch_loss,
    trust_at,
)
from heap.pretraining.objective import cross_entropy, dense_loss, sinkhorn, smooth_by_colour
from heap.pretraining.student import StudentOutput

from .conftest import Config


def seen(number: int, requires_grad: bool = False) -> StudentOutput:
    """Something that might be seen of four crops of nine patches by five prototypes."""
    draw = torch.Generator().manual_seed(number)

    def made(*shape: int) -> Tensor:
        return (torch.rand(*shape, generator=draw) * 2 - 1).requires_grad_(requires_grad)

    return StudentOutput(made(4, 5), made(4, 9, 5), made(4, 9), made(4, 9, 6))


def test_every_crop_of_the_teacher_meets_every_other_crop(tiny: Config) -> None:
    config = tiny(student_temperature=0.2, teacher_temperature=0.05)
    taught, student = [seen(0), seen(1)], [seen(2), seen(3), seen(4)]
    pairs = []
    for view, crop in product(range(2), range(3)):
        if view != crop:
            ours, theirs = taught[view].image, student[crop].image
            assert ours is not None
            assert theirs is not None
            pairs.append(cross_entropy(sinkhorn(ours, 0.05), theirs, 0.2))
    assert len(pairs) == 4
    torch.testing.assert_close(image_loss(taught, student, config), sum(pairs) / 4)


def test_only_hidden_patches_are_recognised(tiny: Config) -> None:
    config = tiny()
    taught, student = [seen(0), seen(1)], [seen(2, True), seen(3, True), seen(4, True)]
    masks = [torch.zeros(4, 9, dtype=torch.bool) for _ in range(2)]
    masks[0][1, 2:5] = True
    loss = patch_loss(taught, student, masks, config)
    ours, theirs = taught[0].patch, student[0].patch
    assert ours is not None
    assert theirs is not None
    target = sinkhorn(ours[1, 2:5], config.teacher_temperature)
    # Half of it, because nothing is hidden in the second crop.
    expected = cross_entropy(target, theirs[1, 2:5], config.student_temperature) / 2
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert theirs.grad is not None
    assert torch.equal(theirs.grad.abs().sum(-1) > 0, masks[0])


def test_with_nothing_hidden_the_loss_is_zero_and_has_a_gradient(tiny: Config) -> None:
    student = [seen(1, True)]
    loss = patch_loss([seen(0)], student, [torch.zeros(4, 9, dtype=torch.bool)], tiny())
    assert loss.item() == 0
    loss.backward()
    assert student[0].patch is not None
    assert student[0].patch.grad is not None
    assert not student[0].patch.grad.any()


def test_the_foreground_of_each_crop_counts_alike() -> None:
    taught, student = [seen(0), seen(1)], [seen(2), seen(3), seen(4)]
    priors = [torch.full((4, 9), 0.2), torch.full((4, 9), 0.7)]
    colours = [torch.rand(4, 3, 3, 3, generator=torch.Generator().manual_seed(n)) for n in (0, 1)]
    expected = []
    for ours, theirs, prior, cells in zip(taught, student, priors, colours, strict=False):
        assert ours.dense is not None
        assert theirs.dense is not None
        says = smooth_by_colour(ours.dense.sigmoid(), cells)
        expected.append(dense_loss(theirs.dense, prior, says, 0.3))
    found = foreground_loss(taught, student, priors, colours, 0.3)
    torch.testing.assert_close(found, sum(expected) / 2)


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.0, 0.0), (0.25, 0.0), (0.4375, 0.4), (0.625, 0.8), (1.0, 0.8)]
)
def test_trust_grows_from_a_quarter_to_five_eighths(
    progress: float, expected: float, tiny: Config
) -> None:
    config = tiny(trust=0.8, trust_from=0.25)
    assert trust_at(progress, config) == pytest.approx(expected)
    assert trust_at(progress, tiny(trust=0.0)) == 0


def test_trust_that_never_grows(tiny: Config) -> None:
    assert trust_at(0.999, tiny(trust_from=1.0)) == 0


def test_monitors_show_collapse() -> None:
    alike = StudentOutput(
        torch.tensor([[1.0, -1, -1, -1]] * 3), None, torch.zeros(3, 4), torch.ones(3, 4, 2)
    )
    found = measure_collapse(alike)
    assert found["token_spread"] == 0
    assert found["prototype_entropy"] < 1e-3
    assert found["foreground"] == 0.5
    spread = StudentOutput(2 * torch.eye(4) - 1, None, None, torch.randn(4, 4, 2))
    found = measure_collapse(spread)
    assert found.keys() == {"token_spread", "prototype_entropy"}
    assert found["prototype_entropy"].item() == pytest.approx(math.log(4), abs=1e-3)
    assert measure_collapse(StudentOutput(None, None, None, spread.tokens)).keys() == {
        "token_spread"
    }


def test_the_cosine_to_what_a_teacher_says() -> None:
    """Along, across and against it: 1 - (1 + 0 - 1) / 3; how long the vectors are is nothing."""
    said = torch.tensor([[2.0, 0], [2, 0], [2, 0]])
    predicted = torch.tensor([[5.0, 0], [0, 3], [-1, 0]])
    assert cosine_loss(predicted, said).item() == pytest.approx(1)
    assert cosine_loss(7 * said, said).item() == pytest.approx(0)


def features(number: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(number))


def view(tokens: Tensor, embedding: Tensor) -> StudentOutput:
    return StudentOutput(None, None, None, tokens, embedding=embedding)


def test_alike_is_what_a_teacher_finds_alike() -> None:
    """Turned about, longer and in more dimensions, it is the same; other features are not."""
    said, wholes, order = features(0, 4, 30, 6), features(1, 4, 5), torch.arange(30)
    turned = 3 * said @ torch.linalg.qr(features(2, 9, 9)).Q[:6]
    same = alike_loss(said, wholes, view(turned, wholes), order)
    assert same.item() == pytest.approx(0, abs=1e-6)
    other = view(features(3, 4, 30, 9), wholes)
    assert alike_loss(said, wholes, other, order) > 0.5


def test_how_unlike_by_hand() -> None:
    """Of three wholes the teacher finds two the same, and the student all different.

    Its cosines are 1, 0 and 0, each twice, of variance 4 / 15; the student is out by 1 at two of
    six. The patches are right, and count two thirds.
    """
    said, order = features(0, 3, 9, 6), torch.arange(9)
    wholes = torch.tensor([[1.0, 0], [2, 0], [0, 3]])
    unlike = view(said, torch.eye(3))
    expected = (2 / 6) / (4 / 15) / 3
    assert alike_loss(said, wholes, unlike, order).item() == pytest.approx(expected, abs=1e-5)

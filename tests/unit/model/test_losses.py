"""Every loss against its formula, written out pair by pair."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from torch import Tensor

from heap.config import HeadConfig, LossConfig
from heap.model.head import GroupingHead
from heap.model.losses import (
    bounded_cosine,
    heap_losses,
    inter_loss,
    intra_loss,
    negative_loss,
    prior_loss,
    total_loss,
)

BATCH, PATCHES, GROUPS, DIM = 3, 7, 4, 5
SEEDS = [0, 1, 2]


def make(seed: int, batch: int = BATCH) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        "features": normal(batch, PATCHES, DIM),
        "assignment": normal(batch, PATCHES, GROUPS).softmax(-1),
        "embeddings": normal(batch, GROUPS, DIM),
        "weight": normal(batch, GROUPS).sigmoid(),
        "foreground": normal(batch, DIM),
        "background": normal(batch, DIM),
    }


def cosine(u: Tensor, v: Tensor) -> Tensor:
    return (u * v).sum() / ((u * u).sum().sqrt() * (v * v).sum().sqrt())


def soft_positive(cos: Tensor) -> Tensor:
    """(1 - ε) softplus(βc) / softplus(β)."""
    return (1 - 1e-4) * (1 + (10 * cos).exp()).log() / math.log(1 + math.exp(10))


def slow_intra(assignment: Tensor, features: Tensor, config: LossConfig) -> Tensor:
    return torch.stack([
        _slow_intra_of_one(a, x, config) for a, x in zip(assignment, features, strict=True)
    ]).mean()  # fmt: skip


def _slow_intra_of_one(a: Tensor, x: Tensor, config: LossConfig) -> Tensor:
    patches, groups = range(len(a)), range(a.shape[1])
    cos = [[cosine(x[p], x[q]) for q in patches] for p in patches]
    if config.intra_form == "correlation":
        pairs = [
            (cos[p][q] - config.correlation_shift) * (a[p] * a[q]).sum()
            for p in patches
            for q in patches
        ]
        return -torch.stack(pairs).mean()
    if config.affinity == "relu":
        w = [[c.clamp(min=0) for c in row] for row in cos]
    else:
        w = [[(1 + c) / 2 for c in row] for row in cos]
    k = [torch.stack(row).sum() for row in w]
    if config.intra_form == "ncut":
        shares = []
        for m in groups:
            within = [w[p][q] * a[p, m] * a[q, m] for p in patches for q in patches]
            degrees = [k[p] * a[p, m] for p in patches]
            shares.append(torch.stack(within).sum() / torch.stack(degrees).sum())
        return -torch.stack(shares).mean()
    total = torch.stack(k).sum()
    terms = [
        (w[p][q] - config.granularity * k[p] * k[q] / total) * (a[p] * a[q]).sum()
        for p in patches
        for q in patches
    ]
    return -torch.stack(terms).sum() / total


def slow_inter(embeddings: Tensor, weight: Tensor, decay: float) -> Tensor:
    batch, groups = weight.shape
    places = [(i, m) for i in range(batch) for m in range(groups)]
    above, below = torch.zeros(()), 0.0
    for i, m in places:
        others = [place for place in places if place[0] != i]
        alike = {place: soft_positive(cosine(embeddings[i, m], embeddings[place]))
                 for place in others}  # fmt: skip
        others.sort(key=lambda place: -float(alike[place].detach()))
        for rank, place in enumerate(others):
            w = math.exp(-decay * rank) * float(weight[i, m]) * float(weight[place])
            above, below = above - w * alike[place].log(), below + w
    return above / below


FORMS: list[dict[str, Any]] = [
    *({"intra_form": form, "affinity": affinity}
      for form in ("ncut", "modularity") for affinity in ("relu", "linear")),
    {"intra_form": "modularity", "granularity": 2.0},
    *({"intra_form": "correlation", "correlation_shift": shift} for shift in (0.2, -0.5)),
]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form.values())))
def test_intra_is_its_formula_and_so_is_its_gradient(form: dict[str, Any], seed: int) -> None:
    config, made = LossConfig(**form), make(seed)
    inputs = (made["assignment"].requires_grad_(), made["features"].requires_grad_())
    fast, slow = intra_loss(*inputs, config), slow_intra(*inputs, config)
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=1e-7, check_dtype=False)
    for ours, theirs in zip(
        torch.autograd.grad(fast, inputs), torch.autograd.grad(slow, inputs), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("seed", SEEDS)
def test_negative_is_its_formula(seed: int) -> None:
    made = make(seed)
    pairs = [
        -(1 - soft_positive(cosine(u, v))).log()
        for u in made["foreground"]
        for v in made["background"]
    ]
    torch.testing.assert_close(
        negative_loss(made["foreground"], made["background"]), sum(pairs) / len(pairs)
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("decay", [0.0, 0.25, 2.0])
def test_inter_is_its_formula_and_so_is_its_gradient(decay: float, seed: int) -> None:
    made = make(seed)
    embeddings = made["embeddings"].requires_grad_()
    fast = inter_loss(embeddings, made["weight"], decay)
    slow = slow_inter(embeddings, made["weight"], decay)
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=0, check_dtype=False)
    # The formula's weights and ranks are plain numbers, so they have no part in its gradient.
    (ours,), (theirs,) = (torch.autograd.grad(loss, embeddings) for loss in (fast, slow))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-8)


def test_the_weights_of_inter_carry_no_gradient() -> None:
    made = make(0)
    weight = made["weight"].requires_grad_()
    inter_loss(made["embeddings"].requires_grad_(), weight, 0.25).backward()
    assert weight.grad is None


def test_inter_ignores_regions_of_the_same_image() -> None:
    made = make(0, batch=2)
    assert inter_loss(made["embeddings"][:1], made["weight"][:1], 0.25) == 0
    # Without decay the loss is a mean over pairs, so a twin in the same image that counted would
    # make it fall: its similarity is the highest there is.
    twins = made["embeddings"].repeat(1, 2, 1)
    alone = inter_loss(made["embeddings"], made["weight"], 0.0)
    torch.testing.assert_close(
        inter_loss(twins, made["weight"].repeat(1, 2), 0.0), alone, rtol=1e-5, atol=0
    )


def test_prior_is_the_cross_entropy() -> None:
    saliency, prior = torch.tensor([[0.2, 0.9]]), torch.tensor([[0.0, 0.7]])
    first = -math.log(0.8)
    second = -(0.7 * math.log(0.9) + 0.3 * math.log(0.1))
    assert prior_loss(saliency, prior).item() == pytest.approx((first + second) / 2)


def test_prior_is_finite_where_the_head_is_certain_and_wrong() -> None:
    saliency = torch.tensor([[0.0, 1.0]], requires_grad=True)
    loss = prior_loss(saliency, torch.tensor([[1.0, 0.0]]))
    assert loss.isfinite()


@pytest.mark.parametrize("cos", [-1.0, -0.3, 0.0, 0.5, 1.0])
def test_the_bound_is_what_it_says_and_never_reaches_its_ends(cos: float) -> None:
    u = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    v = torch.tensor([[cos, math.sqrt(1 - cos**2)]], dtype=torch.float64)
    bounded = bounded_cosine(7 * u, 0.1 * v).item()
    assert bounded == pytest.approx(soft_positive(torch.tensor(cos, dtype=torch.float64)).item())
    assert 0 < bounded < 1


@settings(max_examples=examples(25))
@given(seed=st.integers(0, 10_000), form=st.sampled_from(FORMS))
def test_the_order_of_patches_groups_and_images_does_not_matter(
    seed: int, form: dict[str, Any]
) -> None:
    config, made = LossConfig(**form), make(seed)
    generator = torch.Generator().manual_seed(seed)
    patches, groups, images = (
        torch.randperm(count, generator=generator) for count in (PATCHES, GROUPS, BATCH)
    )
    torch.testing.assert_close(
        intra_loss(
            made["assignment"][images][:, patches][:, :, groups],
            made["features"][images][:, patches],
            config,
        ),
        intra_loss(made["assignment"], made["features"], config),
    )
    torch.testing.assert_close(
        negative_loss(made["foreground"][images], made["background"]),
        negative_loss(made["foreground"], made["background"]),
    )
    torch.testing.assert_close(
        inter_loss(made["embeddings"][images][:, groups], made["weight"][images][:, groups], 0.25),
        inter_loss(made["embeddings"], made["weight"], 0.25),
    )


def undecided_head(scale: float) -> GroupingHead:
    """A head whose P is ½ but for `scale`."""
    torch.manual_seed(3)
    head = GroupingHead(DIM, DIM, HeadConfig(groups=GROUPS, blocks=1, heads=2, width=8)).double()
    with torch.no_grad():
        head.score.weight.mul_(scale)
        head.score.bias.zero_()
    return head


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form.values())))
@pytest.mark.parametrize("scale", [0.0, 1e-3])
def test_gradients_are_finite_and_alive_while_p_is_a_half(
    scale: float, form: dict[str, Any]
) -> None:
    head, features = undecided_head(scale), make(4)["features"]
    grouping = head(features)
    assert (grouping.foreground - 0.5).abs().max() <= scale
    losses = heap_losses(grouping, features, None, LossConfig(**form))
    for loss in losses.values():
        gradients = torch.autograd.grad(loss, head.tokens, retain_graph=True)
        assert gradients[0].isfinite().all()
        assert gradients[0].abs().max() > 1e-8
    total_loss(losses, LossConfig(**form)).backward()
    for name, weight in head.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


def test_negative_leaves_the_undecided_state() -> None:
    """Exactly at P = ½ the two sides are the same; next to it the loss pushes further away."""
    head, features = undecided_head(1e-3), make(4)["features"]
    optimizer = torch.optim.SGD(head.score.parameters(), lr=5)
    spread = []
    for _ in range(200):
        grouping = head(features)
        spread.append((grouping.foreground - 0.5).abs().mean().item())
        optimizer.zero_grad()
        negative_loss(grouping.image_foreground, grouping.image_background).backward()
        optimizer.step()
    assert spread[-1] > 100 * spread[0]


def test_losses_without_weight_are_left_out_and_the_others_are_weighted() -> None:
    grouping, features = undecided_head(1.0)(make(5)["features"]), make(5)["features"]
    prior = torch.full((BATCH, PATCHES), 0.3, dtype=torch.float64)
    everything = heap_losses(grouping, features, prior, LossConfig())
    assert set(everything) == {"intra", "negative", "inter", "prior"}
    assert set(heap_losses(grouping, features, None, LossConfig())) == set(everything) - {"prior"}
    plain = LossConfig(prior_weight=0.0)
    for name, config in [
        ("intra", replace(plain, intra=0.0)),
        ("negative", replace(plain, negative=0.0)),
        ("inter", replace(plain, inter=0.0)),
    ]:
        found = set(heap_losses(grouping, features, prior, config))
        assert found == {"intra", "negative", "inter"} - {name}
    config = LossConfig(intra=2.0, negative=3.0, inter=5.0, prior_weight=7.0)
    expected = sum(w * everything[n] for w, n in zip((2, 3, 5, 7), everything, strict=True))
    torch.testing.assert_close(total_loss(everything, config), expected)


def test_intra_sees_the_first_patches_and_the_others_see_all() -> None:
    grouping, features = undecided_head(1.0)(make(7)["features"]), make(7)["features"]
    prior = torch.full((BATCH, PATCHES), 0.3, dtype=torch.float64)
    whole = heap_losses(grouping, features, prior, LossConfig(intra_patches=PATCHES))
    few = heap_losses(grouping, features, prior, LossConfig(intra_patches=3))
    expected = slow_intra(grouping.assignment[:, :3], features[:, :3], LossConfig())
    torch.testing.assert_close(few["intra"], expected, rtol=1e-4, atol=0)
    assert not torch.equal(few["intra"], whole["intra"])
    assert all(torch.equal(few[name], whole[name]) for name in whole if name != "intra")


def test_images_without_a_foreground_are_seen_as_background_alone() -> None:
    grouping, features = undecided_head(1.0)(make(8)["features"]), make(8)["features"]
    prior = torch.full((BATCH, PATCHES), 0.3, dtype=torch.float64)
    found = heap_losses(grouping, features, prior, LossConfig(), BATCH - 1)
    everywhere = heap_losses(grouping, features, prior, LossConfig(), BATCH)
    for name in ("intra", "prior"):
        assert torch.equal(found[name], everywhere[name])
    front, back = grouping.image_foreground[:-1], grouping.image_background[:-1]
    torch.testing.assert_close(found["negative"], negative_loss(front, back))
    p, area = grouping.foreground.detach(), grouping.area.detach()
    expected = slow_inter(grouping.embeddings[:-1], (area * p)[:-1], 0.25) + slow_inter(
        grouping.embeddings, area * (1 - p), 0.25
    )
    torch.testing.assert_close(found["inter"], expected, rtol=1e-4, atol=0)
    usual = heap_losses(grouping, features, prior, LossConfig())
    assert all(torch.equal(usual[name], everywhere[name]) for name in usual)


def test_inter_is_taken_once_for_the_foreground_and_once_for_the_background() -> None:
    grouping, features = undecided_head(1.0)(make(6)["features"]), make(6)["features"]
    both = heap_losses(grouping, features, None, LossConfig())["inter"]
    p, area = grouping.foreground.detach(), grouping.area.detach()
    expected = slow_inter(grouping.embeddings, area * p, 0.25) + slow_inter(
        grouping.embeddings, area * (1 - p), 0.25
    )
    torch.testing.assert_close(both, expected, rtol=1e-4, atol=0)

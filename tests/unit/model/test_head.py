import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from heap.config import HeadConfig
from heap.model.head import CrossAttentionBlock, GroupingHead

DIM = 6


def make_head(**options: float) -> GroupingHead:
    torch.manual_seed(1)
    settings = {"groups": 3, "blocks": 2, "heads": 2, "width": 8} | options
    return GroupingHead(DIM, DIM, HeadConfig(**settings)).double()  # type: ignore[arg-type] # ints


def features(patches: int = 10, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(batch, patches, DIM, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("patches", [1, 2, 50])
@pytest.mark.parametrize("blocks", [0, 2])
@torch.no_grad()
def test_shares_and_areas_sum_to_one_for_any_number_of_patches(patches: int, blocks: int) -> None:
    grouping = make_head(blocks=blocks)(features(patches))
    ones = torch.ones(2, patches, dtype=torch.float64)
    torch.testing.assert_close(grouping.assignment.sum(dim=-1), ones)
    torch.testing.assert_close(grouping.area.sum(dim=-1), ones[:, 0])
    assert grouping.assignment.min() >= 0
    assert ((grouping.foreground > 0) & (grouping.foreground < 1)).all()


@torch.no_grad()
def test_regions_and_maps_are_their_formulas() -> None:
    x = features()
    found = make_head()(x)
    for image in range(2):
        a, p = found.assignment[image], found.foreground[image]
        mass = [sum(a[patch, m] for patch in range(10)) for m in range(3)]
        merged = [sum(a[q, m] * x[image, q] for q in range(10)) / mass[m] for m in range(3)]
        torch.testing.assert_close(found.embeddings[image], torch.stack(merged), rtol=1e-5, atol=0)
        for patch in range(10):
            expected = sum(a[patch, m] * p[m] for m in range(3))
            torch.testing.assert_close(found.saliency[image, patch], expected)
        for side, share in ((found.image_foreground, p), (found.image_background, 1 - p)):
            weight = [mass[m] / 10 * share[m] for m in range(3)]
            mean = sum(w * r for w, r in zip(weight, merged, strict=True)) / sum(weight)
            torch.testing.assert_close(side[image], mean, rtol=1e-5, atol=1e-7)


@torch.no_grad()
def test_invert_exchanges_foreground_and_background() -> None:
    head = make_head()
    before = head(features())
    head.invert()
    after = head(features())
    torch.testing.assert_close(after.foreground, 1 - before.foreground, rtol=0, atol=1e-15)
    torch.testing.assert_close(after.saliency, 1 - before.saliency, rtol=0, atol=1e-15)
    torch.testing.assert_close(after.image_foreground, before.image_background)
    assert torch.equal(after.assignment, before.assignment)
    head.invert()
    assert torch.equal(head(features()).foreground, before.foreground)


@torch.no_grad()
def test_the_centre_is_taken_off_first() -> None:
    head, shift = make_head(), torch.linspace(-1, 1, DIM, dtype=torch.float64)
    plain = head(features())
    head.centre.copy_(shift)
    moved = head(features() + shift)
    torch.testing.assert_close(moved.assignment, plain.assignment)
    torch.testing.assert_close(moved.embeddings, plain.embeddings)
    assert "centre" in head.state_dict(), "it has to be saved"


@torch.no_grad()
def test_patches_are_a_set() -> None:
    """Their order does not matter, and neither does it if each is there twice."""
    head, x = make_head(), features()
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    once, shuffled, twice = head(x), head(x[:, order]), head(x.repeat(1, 2, 1))
    torch.testing.assert_close(shuffled.assignment, once.assignment[:, order])
    for other in (shuffled, twice):
        torch.testing.assert_close(other.foreground, once.foreground, rtol=1e-5, atol=0)
        torch.testing.assert_close(other.embeddings, once.embeddings, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(other.area, once.area)


@torch.no_grad()
def test_images_do_not_see_each_other() -> None:
    head, x = make_head(), features(batch=3)
    torch.testing.assert_close(head(x).saliency[1:2], head(x[1:2]).saliency)


@torch.no_grad()
def test_a_lower_temperature_decides_more() -> None:
    warm, cold = (make_head(temperature=t)(features()).assignment for t in (1.0, 0.01))
    assert cold.max(dim=-1).values.mean() > 0.95 > warm.max(dim=-1).values.mean()


@torch.no_grad()
def test_a_group_that_nobody_chooses_gives_no_nan() -> None:
    head = make_head(temperature=1e-3).float()
    grouping = head(features(1).float())
    assert (grouping.area == 0).any(), "one patch cannot choose three groups"
    for value in (grouping.embeddings, grouping.foreground, grouping.saliency,
                  grouping.image_foreground, grouping.image_background):  # fmt: skip
        assert value.isfinite().all()


@torch.no_grad()
def test_in_a_round_patches_choose_among_the_means_of_the_regions() -> None:
    x, tau = features(), 0.1
    start, end = (make_head(rounds=rounds, temperature=tau)(x) for rounds in (0, 2))
    for image in range(2):
        shares = start.assignment[image]
        for _ in range(2):
            merged = torch.stack([
                sum((shares[q, m] * x[image, q] for q in range(10)), torch.zeros(DIM).double())
                / shares[:, m].sum()
                for m in range(3)
            ])  # fmt: skip
            cosines = F.cosine_similarity(x[image][:, None], merged[None], dim=-1)
            shares = (cosines / tau).softmax(dim=-1)
        torch.testing.assert_close(end.assignment[image], shares, rtol=1e-4, atol=1e-7)


@torch.no_grad()
def test_many_rounds_end_where_k_means_of_directions_stands_still() -> None:
    """With a hard choice a region's mean is that of the patches that are nearest to it."""
    head = make_head(groups=4, rounds=50, temperature=1e-3)
    x = F.normalize(features(200, 1), dim=-1)
    grouping = head(x)
    labels = grouping.assignment[0].argmax(dim=-1).numpy()
    means = np.stack([x[0].numpy()[labels == m].mean(axis=0) for m in np.unique(labels)])
    again = KMeans(len(means), init=means, n_init=1).fit(x[0].numpy())
    # Cosine to a mean of unit vectors and distance to it differ a little near the borders.
    assert adjusted_rand_score(labels, again.labels_) > 0.8
    tokens = make_head(groups=4, rounds=0, temperature=1e-3)(x).assignment[0].argmax(dim=-1)
    assert adjusted_rand_score(tokens.numpy(), again.labels_) < 0.5


@settings(max_examples=examples(40))
@given(
    seed=st.integers(0, 10_000),
    heads=st.sampled_from([1, 2, 4]),
    groups=st.integers(2, 5),
    patches=st.integers(1, 30),
)
@torch.no_grad()
def test_attention_is_that_of_torch_with_keys_and_values(
    seed: int, heads: int, groups: int, patches: int
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        values: Tensor = torch.randn(shape, generator=generator, dtype=torch.float64)
        return values

    block = CrossAttentionBlock(HeadConfig(heads=heads, width=8)).double()
    for weight in block.parameters():
        weight.copy_(drawn(*weight.shape))
    tokens, x = drawn(2, groups, 8), drawn(2, patches, 8)

    def split(each: Tensor) -> Tensor:
        parts: Tensor = each.unflatten(-1, (heads, -1))
        return parts.transpose(1, 2)

    key, value = block.key_value(x).chunk(2, dim=-1)
    attended = F.scaled_dot_product_attention(
        split(block.query(block.query_norm(tokens))), split(key), split(value)
    )
    adapted = tokens + block.output(attended.transpose(1, 2).flatten(2))
    torch.testing.assert_close(block(tokens, x), adapted + block.mlp(adapted))

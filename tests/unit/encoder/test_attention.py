"""Attention head by head against the formula in float64, and against torch's own."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heap.config import Precision
from heap.encoder.attention import BY_HEAD, attend
from heap.encoder.load import load_encoder

SCALING = 64**-0.5


class Block(nn.Module):
    """Stand-in for the module of transformers that asks for attention."""

    is_causal = False


def draw(tokens: int, common: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values as blocks have them; keys share a direction of length `common`."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(2, tokens, 3, 64, generator=generator).transpose(1, 2) for _ in range(3)
    )
    key += common * F.normalize(torch.randn(3, 1, 64, generator=generator), dim=-1)
    return query.bfloat16(), key.bfloat16(), value.bfloat16()


def error(attended: Tensor, query: Tensor, key: Tensor, value: Tensor) -> float:
    """Mean distance from the formula, softmax(q·kᵀ / √dim)·v, in float64."""
    scores = query.double() @ key.double().mT * SCALING
    wanted = (scores.softmax(-1) @ value.double()).transpose(1, 2)
    return (attended.double() - wanted).abs().mean().item()


def fused(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value).transpose(1, 2)


@pytest.mark.parametrize("tokens", [1, 5, 1025])
@torch.no_grad()
def test_it_is_the_formula_with_at_most_three_times_the_error_of_the_fused_one(tokens: int) -> None:
    parts = draw(tokens)
    attended, weights = attend(Block(), *parts, attention_mask=None, scaling=SCALING)
    assert attended.shape == (2, tokens, 3, 64)
    assert attended.is_contiguous()
    assert weights is None
    assert error(attended, *parts) <= 3 * error(fused(*parts), *parts)


@torch.no_grad()
def test_what_all_keys_have_in_common_is_not_rounded() -> None:
    # Scores reach 40, where a step of bfloat16 is a quarter: e^0.25 would be an error of 28 %.
    parts = draw(257, common=100.0)
    attended, _ = attend(Block(), *parts, attention_mask=None, scaling=SCALING)
    assert error(attended, *parts) < 3 * error(fused(*parts), *parts)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@torch.no_grad()
def test_other_types_are_attended_by_torch(kind: torch.dtype) -> None:
    query, key, value = draw(9)
    parts = query.to(kind), key.to(kind), value.to(kind)
    attended, _ = attend(Block(), *parts, attention_mask=None, scaling=SCALING)
    torch.testing.assert_close(attended, fused(*parts), rtol=0, atol=0)


def test_gradients_pass_through() -> None:
    query, key, value = (part.requires_grad_() for part in draw(9))
    attend(Block(), query, key, value, None, SCALING)[0].float().sum().backward()
    assert all(part.grad is not None for part in (query, key, value))


@pytest.mark.parametrize(("precision", "name"), [("bf16", BY_HEAD), ("fp32", "sdpa")])
def test_transformers_in_half_precision_use_it(precision: Precision, name: str) -> None:
    model: Any = load_encoder("embedded", precision=precision).model
    assert model.config._attn_implementation == name

"""Small networks in the layout of DINO and DINOv2, and what the originals compute with them.

Written from the papers and the authors' description of the layout, in plain torch: nothing in here
knows transformers.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, gelu, interpolate, layer_norm, linear, silu

State = dict[str, Tensor]
HEAD = 64
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def shapes(
    width: int, depth: int, patch: int, grid: int, *, v2: bool, registers: int = 0,
    gated: bool = False,
) -> dict[str, tuple[int, ...]]:  # fmt: skip
    """Names and shapes of the weights of a network."""
    sizes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, grid * grid + 1, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    if v2:
        sizes["mask_token"] = (1, width)
    if registers:
        sizes["register_tokens"] = (1, registers, width)
    hidden = (int(4 * width * 2 / 3) + 7) // 8 * 8
    mlp = {"w12": (2 * hidden, width), "w3": (width, hidden)}
    plain = {"fc1": (4 * width, width), "fc2": (width, 4 * width)}
    linears = {f"mlp.{name}": size for name, size in (mlp if gated else plain).items()}
    linears |= {"attn.qkv": (3 * width, width), "attn.proj": (width, width)}
    for block in range(depth):
        for name, size in linears.items():
            sizes[f"blocks.{block}.{name}.weight"] = size
            sizes[f"blocks.{block}.{name}.bias"] = size[:1]
        for name in ("norm1", "norm2"):
            sizes |= {f"blocks.{block}.{name}.{kind}": (width,) for kind in ("weight", "bias")}
        if v2:
            sizes |= {f"blocks.{block}.{name}.gamma": (width,) for name in ("ls1", "ls2")}
    return sizes


def draw(sizes: dict[str, tuple[int, ...]]) -> State:
    """Random weights."""
    generator = torch.Generator().manual_seed(7)
    return {name: 0.2 * torch.randn(size, generator=generator) for name, size in sizes.items()}


def forward(state: State, pixels: Tensor) -> dict[str, Tensor]:
    """Keys and attention of the last block, its tokens, and these after the last LayerNorm."""

    def norm(x: Tensor, name: str) -> Tensor:
        return layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    def apply(x: Tensor, name: str) -> Tensor:
        return linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    mean, std = (torch.tensor(colour).view(3, 1, 1) for colour in IMAGENET)
    kernel = state["patch_embed.proj.weight"]
    maps = conv2d(
        (pixels - mean) / std, kernel, state["patch_embed.proj.bias"], stride=kernel.shape[-1]
    )
    rows, cols = maps.shape[-2:]
    side = round((state["pos_embed"].shape[1] - 1) ** 0.5)
    registers = state.get("register_tokens")
    table = state["pos_embed"][:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if (rows, cols) != (side, side):
        table = interpolate(table, (rows, cols), mode="bicubic", antialias=registers is not None)
    x = torch.cat([
        (state["cls_token"] + state["pos_embed"][:, :1]).expand(len(pixels), -1, -1),
        (maps + table).flatten(2).transpose(1, 2),
    ], dim=1)  # fmt: skip
    if registers is not None:
        x = torch.cat([x[:, :1], registers.expand(len(x), -1, -1), x[:, 1:]], dim=1)
    result: dict[str, Tensor] = {}
    depth = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    for at in (f"blocks.{block}" for block in range(depth)):
        qkv = apply(norm(x, f"{at}.norm1"), f"{at}.attn.qkv")
        q, k, v = qkv.unflatten(-1, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        attention = (q @ k.transpose(-2, -1) / HEAD**0.5).softmax(-1)
        mixed = apply((attention @ v).transpose(1, 2).flatten(2), f"{at}.attn.proj")
        x = x + mixed * state.get(f"{at}.ls1.gamma", 1)
        inside = norm(x, f"{at}.norm2")
        if f"{at}.mlp.w12.weight" in state:
            gate, up = apply(inside, f"{at}.mlp.w12").chunk(2, dim=-1)
            inside = apply(silu(gate) * up, f"{at}.mlp.w3")
        else:
            inside = apply(gelu(apply(inside, f"{at}.mlp.fc1")), f"{at}.mlp.fc2")
        x = x + inside * state.get(f"{at}.ls2.gamma", 1)
        result = {"key": k.transpose(1, 2).flatten(2), "attention": attention[:, :, 0]}
    first = x.shape[1] - rows * cols
    return {
        "key": result["key"][:, first:],
        "attention": result["attention"][..., first:],
        "token": x[:, first:],
        "output": norm(x, "norm")[:, first:],
        "whole": norm(x, "norm")[:, 0],
    }


def checkpoint(state: State, **others: Any) -> dict[str, Any]:
    """A checkpoint of DINO's training: student and teacher, each with its head, and more."""
    teacher = {f"backbone.{name}": value for name, value in state.items()}
    head = {"head.mlp.0.weight": torch.ones(2, 2)}
    student = {f"module.{name}": value + 1 for name, value in (teacher | head).items()}
    return {"student": student, "teacher": teacher | head, "epoch": 100, **others}

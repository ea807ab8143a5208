"""Checkpoints of DINO and DINOv2 as their authors publish them, in the layout of transformers.

They hold weights and no configuration: the sizes are those of the tensors, and the rest is the same
in all of them (facebookresearch/dino and facebookresearch/dinov2, `vision_transformer.py`).
"""

import re
from math import isqrt
from pathlib import Path
from typing import Any

from torch import Tensor

from heap.base.errors import WeightsError
from heap.encoder.state import State, check_state, load_pickle

COLOURS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of the colours, ImageNet's, in the training of all of them."""
_HEAD_WIDTH = 64
"""Width of an attention head in all of them, from ViT-S to ViT-g; their number is in no tensor."""
_INSIDE = ("teacher", "model", "state_dict")
"""Parts of a checkpoint of training that hold the weights: the teacher's, as for evaluation."""
_PREFIXES = ("teacher.", "module.", "backbone.")
"""Beginnings of names that tell the encoder from the heads and the student beside it."""
_CLASSIFIER = "head.weight"
_BLOCK = re.compile(r"blocks\.(?:\d+\.)?(\d+)\.(.+)")
"""Names in a block: those of DINOv2's training have the number of a chunk before the block's."""

_OUTSIDE = {
    "cls_token": "embeddings.cls_token",
    "pos_embed": "embeddings.position_embeddings",
    "mask_token": "embeddings.mask_token",
    "register_tokens": "embeddings.register_tokens",
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "norm": "layernorm",
}
_ATTENTION = {"attn.proj": "attention.output.dense"}
_DINO = _ATTENTION | {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
_DINOV2 = _ATTENTION | {
    "norm1": "norm1",
    "norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "mlp.w12": "mlp.weights_in",
    "mlp.w3": "mlp.weights_out",
    "ls1.gamma": "layer_scale1.lambda1",
    "ls2.gamma": "layer_scale2.lambda1",
}


def read_original(path: Path) -> tuple[dict[str, Any], State]:
    """Values for a config.json, and the weights by the names of transformers.

    Raises:
        WeightsError: if the file is damaged or holds no vision transformer of DINO or DINOv2.
    """
    state = _strip(_unwrap(load_pickle(path), path))
    if _CLASSIFIER in state:
        raise WeightsError(
            f"{path} holds a classifier ({_CLASSIFIER}), so it is none of DINO or DINOv2, and does "
            "not say how colours were normalised; bring it into the layout of transformers, with "
            "a preprocessor_config.json"
        )
    try:
        values = _describe(state)
        return values, _rename(state, _DINO if values["model_type"] == "vit" else _DINOV2)
    except (LookupError, ValueError) as error:
        raise WeightsError(
            f"{path} holds no vision transformer of DINO or DINOv2 ({error}); other networks have "
            "to be in the layout of transformers: a folder with config.json and model.safetensors"
        ) from error


def _unwrap(content: object, path: Path) -> State:
    """Weights of a checkpoint of training, or of the teacher alone."""
    while isinstance(content, dict):
        inside = next((key for key in _INSIDE if isinstance(content.get(key), dict)), None)
        if inside is None:
            break
        content = content[inside]
    return check_state(content, path)


def _strip(state: State) -> State:
    """Weights of the encoder alone, by their own names."""
    while prefix := next((start for start in _PREFIXES if _any_starts(state, start)), None):
        state = {
            name.removeprefix(prefix): value
            for name, value in state.items()
            if name.startswith(prefix)
        }
    return state


def _any_starts(state: State, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in state)


def _describe(state: State) -> dict[str, Any]:
    """Configuration of the network that has tensors of these shapes.

    Raises:
        LookupError, ValueError: if there is none.
    """
    width, channels, patch, across = _shape(state, "patch_embed.proj.weight", 4)
    positions = _shape(state, "pos_embed", 3)[1] - 1  # without that of the CLS token
    side = isqrt(max(positions, 0))
    if channels != 3 or patch != across or side * side != positions or width % _HEAD_WIDTH:
        raise ValueError(
            f"patches of {channels}x{patch}x{across}, {positions} positions and a width of {width}"
        )
    blocks = {int(match[1]) for name in state if (match := _BLOCK.fullmatch(name))}
    gated = "mlp.w12.weight" in _block(state)
    return {
        "model_type": _family(state),
        "hidden_size": width,
        "num_hidden_layers": max(blocks, default=0) + 1,
        "num_attention_heads": width // _HEAD_WIDTH,
        "patch_size": patch,
        "image_size": patch * side,
        "layer_norm_eps": 1e-6,
        "qkv_bias": "attn.qkv.bias" in _block(state),
        **_sizes_of_mlp(state, width, gated=gated),
    }


def _family(state: State) -> str:
    if "ls1.gamma" not in _block(state):
        return "vit"
    return "dinov2_with_registers" if "register_tokens" in state else "dinov2"


def _sizes_of_mlp(state: State, width: int, *, gated: bool) -> dict[str, Any]:
    if _family(state) == "vit":
        return {"intermediate_size": _shape(_block(state), "mlp.fc1.weight", 2)[0]}
    sizes: dict[str, Any] = {"use_swiglu_ffn": gated}
    if gated:
        hidden = _shape(_block(state), "mlp.w12.weight", 2)[0] // 2  # the other half is the gate
        fitting = [ratio for ratio in range(1, 17) if _gated_width(width * ratio) == hidden]
        sizes["mlp_ratio"] = fitting[0] if fitting else hidden / width
    else:
        sizes["mlp_ratio"] = _shape(_block(state), "mlp.fc1.weight", 2)[0] / width
    if "register_tokens" in state:
        sizes["num_register_tokens"] = _shape(state, "register_tokens", 3)[1]
    return sizes


def _gated_width(usual: int) -> int:
    """Width of SwiGLU: two thirds of the usual one, in whole eights, as DINOv2 rounds it."""
    return (int(usual * 2 / 3) + 7) // 8 * 8


def _block(state: State) -> State:
    """Weights of one block, by their names in it."""
    return {match[2]: state[name] for name in state if (match := _BLOCK.fullmatch(name))}


def _shape(state: State, name: str, dimensions: int) -> tuple[int, ...]:
    if name not in state:
        raise LookupError(f"without {name}")
    shape = tuple(state[name].shape)
    if len(shape) != dimensions:
        raise ValueError(f"{name} of shape {shape}")
    return shape


def _rename(state: State, inside: dict[str, str]) -> State:
    renamed: State = {}
    for name, value in state.items():
        block = _BLOCK.fullmatch(name)
        own, table = (block[2], inside) if block else (name, _OUTSIDE)
        before = f"encoder.layer.{block[1]}." if block else ""
        stem, _, kind = own.rpartition(".")
        if stem == "attn.qkv":
            renamed |= _split(value, f"{before}attention.attention", kind)
        elif own in table:
            renamed[before + table[own]] = value
        elif stem in table:
            renamed[f"{before}{table[stem]}.{kind}"] = value
        else:
            raise LookupError(f"with {name}")
    return renamed


def _split(value: Tensor, place: str, kind: str) -> State:
    """Query, key and value, which the original computes by one matrix, in this order."""
    parts = value.chunk(3)
    names = ("query", "key", "value")
    return {f"{place}.{name}.{kind}": part for name, part in zip(names, parts, strict=True)}

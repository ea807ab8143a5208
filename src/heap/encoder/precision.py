"""Choice of the precision in which a device computes."""

from typing import Literal

import torch

from heap.base.errors import ConfigError

_CHOICES = "auto, fp32, bf16"
"""Known precisions. Not read from `heap.config`: a bare GPU machine that pretrains has no pydantic.
"""
_NATIVE = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Instructions of x86 and ARM processors that multiply bfloat16 matrices."""


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 by itself instead of emulating it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in _NATIVE)
    return False  # others, such as MPS, are not asked: fp32 works everywhere


def choose_precision(precision: str, device: torch.device) -> Literal["fp32", "bf16"]:
    """Precision that `auto` stands for on this device; the others stand for themselves.

    Raises:
        ConfigError: if there is no such precision.
    """
    if precision == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    # Compared one by one, which tells the type checker the literals.
    for known in ("fp32", "bf16"):
        if precision == known:
            return known
    raise ConfigError(f"there is no precision {precision!r}; choose one of {_CHOICES}")

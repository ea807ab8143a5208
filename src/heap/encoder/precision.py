"""Choice of the precision in which a device computes, and protection from settings of torch.

A program may have set a default type or device of tensors, or be inside `torch.autocast`: for
models of its own. Ours load and compute as if it had not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch

from heap.base.errors import ConfigError, InputError

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


@contextmanager
def usual_state() -> Iterator[None]:
    """Make modules and tensors as torch does where nothing was set, and draw no random numbers.

    The default type is one for all threads: others see float32 meanwhile.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    # Every call of torch inside `torch.device` passes through Python, so only where it is needed.
    usual = torch.get_default_device() == torch.device("cpu")
    place = nullcontext() if usual else torch.device("cpu")
    try:
        # The weights that a module begins with are drawn, and then replaced by those of a file.
        with place, torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_default_dtype(before)


def refuse_other_numbers(convert: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Refuse what `.half()`, `.double()` and the like do to the tensors of a module.

    Raises:
        InputError: if numbers are not float32 after it.
    """
    kind: Any = convert(torch.zeros(1, dtype=torch.float32, device="cpu")).dtype
    if kind != torch.float32:
        raise InputError(
            f"the weights cannot become {kind}: they stay float32; "
            'load the model with precision="bf16" to compute in half precision'
        )

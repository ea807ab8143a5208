"""Device that the work runs on."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from accelerate import Accelerator


OPENVINO = "openvino"
"""Name of the processor as a device where OpenVINO computes instead of torch."""


def choose_device(name: str) -> str:
    """Device for `auto`: a GPU that torch can use, else the CPU; other names as they are."""
    if name != "auto":
        return name
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def fresh_accelerator(*, cpu: bool, mixed_precision: Literal["no", "bf16"]) -> "Accelerator":
    """Accelerator with these settings, whatever this process has trained before."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    # Accelerate keeps settings for the whole process: those of an earlier training would stay, or
    # raise an error.
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=cpu, mixed_precision=mixed_precision)

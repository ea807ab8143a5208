"""Device that the work runs on, and the processes of which each has one."""

import os

OPENVINO = "openvino"
"""Name of the processor as a device where OpenVINO computes instead of torch."""


def choose_device(name: str) -> str:
    """Device for `auto`: a GPU that torch can use, else the CPU; other names as they are.

    Of several processes on one machine each takes a GPU of its own.
    """
    if name != "auto":
        return name
    import torch

    if torch.cuda.is_available():
        return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if count_processes() > 1 else "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def count_processes() -> int:
    """Number of processes that `accelerate launch` or `torchrun` started for this work."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def process_number() -> int:
    """Number of this process among them; the first, 0, writes the files and talks to the user."""
    return int(os.environ.get("RANK") or 0) if count_processes() > 1 else 0

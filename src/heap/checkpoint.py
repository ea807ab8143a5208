"""Checkpoints that a kill cannot tear, and that hold nothing but tensors and plain values."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from heap.errors import StoreError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that `path` holds either the old checkpoint or the new one, never a part."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU without running any code in it.

    Raises:
        StoreError: if the file is damaged or holds anything but tensors and plain values.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise StoreError(
            f"{path} is not a usable checkpoint ({error}); delete it to start again"
        ) from error
    return state

"""Checkpoints that a kill cannot tear, and that hold nothing but tensors and plain values.

Beside them grows a log, which is cut back to the checkpoint that training goes on from.
"""

import json
import os
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
    # Damage raises whatever its place in the file leads to, from KeyError to UnicodeDecodeError.
    # What torch says about it is left out: it is long, and advises to run the file's code.
    try:
        with zipfile.ZipFile(path) as file:
            # Torch does not look at the checksums.
            if file.testzip() is not None:
                raise zipfile.BadZipFile("wrong checksum")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _unusable(path, type(error).__name__) from error
    if not isinstance(state, dict):
        raise _unusable(path, f"it holds a {type(state).__name__}")
    return state


def cut_log(log: Path, step: int) -> None:
    """Drop the lines that a killed process logged after its last checkpoint, and a torn one."""
    if not log.exists():
        return
    kept = []
    for line in log.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:
            break
    partial = log.with_name(log.name + ".partial")
    partial.write_text("".join(kept))
    partial.replace(log)


def _unusable(path: Path, reason: str) -> StoreError:
    return StoreError(f"{path} is not a usable checkpoint ({reason}); delete it to start again")

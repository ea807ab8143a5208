"""Checkpoints that a kill cannot tear, and that hold nothing but tensors and plain values.

Beside them grows a log, which is cut back to the checkpoint that training goes on from.
"""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

from heap.base.errors import StoreError
from heap.base.files import replacing

_CHECKSUM_BYTES = 64
"""Length of a SHA-256 in hexadecimal digits."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that `path` holds either the old checkpoint or the new one, never a part.

    A checksum follows the file of torch, which torch can still read.
    """
    import torch

    with replacing(path) as file:
        torch.save(state, file)
        file.seek(0)
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0, os.SEEK_END)
        file.write(checksum.encode())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU without running any code in it.

    Raises:
        StoreError: if the file is damaged or holds anything but tensors and plain values.
    """
    import torch

    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__) from error
    archive, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    # Of all bytes: zip archives check their members, but not their directory.
    if hashlib.sha256(archive).hexdigest().encode() != checksum:
        raise _unusable(path, "wrong checksum")
    try:
        state: dict[str, Any] = torch.load(
            io.BytesIO(archive), map_location="cpu", weights_only=True
        )
    except Exception as error:
        # Without torch's own message, which is long and advises to run the file's code.
        raise _unusable(path, type(error).__name__) from error
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
        except ValueError:  # a torn line is the last one
            break
    with replacing(log) as file:
        file.write("".join(kept).encode())


def _unusable(path: Path, reason: str) -> StoreError:
    return StoreError(f"{path} is not a usable checkpoint ({reason}); delete it to start again")

"""Decoding in a process of its own, for a library that cannot be stopped in this one.

The library for JPEG 2000 holds Python's lock from beginning to end: while it works, and if it
hangs, no other thread does anything.
"""

import io
import os
import subprocess
import sys

import numpy as np
from jaxtyping import UInt8

FORMATS = ("JPEG2000",)
"""Formats, by Pillow's name, that are decoded in a process of their own."""

Decoded = tuple[UInt8[np.ndarray, "height width 3"], bool, str | None]
"""Upright pixels, whether they lay on their side, and a note."""


def decode_in_process(data: bytes, draft_side: int, seconds: float) -> Decoded:
    """Decode an image by `python -m heap.images`, which is ended when the time is over.

    Raises:
        TimeoutError: if it takes longer than that.
        OSError: if it cannot be decoded.
    """
    # The new process can import all that this one can, wherever it was started.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "heap.images", str(draft_side)]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command, input=data, capture_output=True, timeout=seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"it takes longer than {seconds:g} seconds") from None
    if done.returncode:
        # The last line of a traceback is the error; a crash of the library leaves none.
        lines = done.stderr.decode(errors="replace").split("\n")
        raise OSError(next(filter(None, map(str.strip, reversed(lines))), "its decoder crashed"))
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as parts:
        return parts["pixels"], bool(parts["turned"]), str(parts["note"]) or None

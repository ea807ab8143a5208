"""Folder for caches: files that can be computed again."""

import os
from pathlib import Path

from heap.base.errors import InputError


def cache_dir() -> Path:
    """Folder for caches: $HEAP_CACHE_DIR, else $XDG_CACHE_HOME/heap, else ~/.cache/heap.

    The folder is not created.

    Raises:
        InputError: if none of the three is known.
    """
    chosen = os.environ.get("HEAP_CACHE_DIR")
    if chosen:
        return Path(chosen)
    # By the XDG specification, relative paths are ignored.
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if shared.is_absolute():
        return shared / "heap"
    try:
        return Path.home() / ".cache" / "heap"
    except RuntimeError as error:
        raise InputError("there is no home folder for caches; set HEAP_CACHE_DIR") from error

"""HEAP: finds the objects in unlabelled images."""

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from heap.discovery import discover
    from heap.encoder.base import Encoder
    from heap.fitting.command import fit
    from heap.model.heap import Heap
    from heap.run import Collection

# Drawing and run lengths work without OpenCV, which nothing here asks for; supervision would say so
# at every start.
warnings.filterwarnings("ignore", r"OpenCV .* is not installed", UserWarning)

__all__ = ["Collection", "Encoder", "Heap", "discover", "fit", "open"]

_HOMES = {
    "Collection": "heap.run",
    "Encoder": "heap.encoder.base",
    "Heap": "heap.model.heap",
    "discover": "heap.discovery",
    "fit": "heap.fitting.command",
}


def open(
    run: "Path | str", *, photos: "Path | str | None" = None, urls: bool = False
) -> "Collection":
    """The run in a folder or at a URL as a collection.

    Its photos are read again where they were, or below the folder `photos` if they were moved;
    those that came from URLs only with `urls`.

    Raises:
        InputError: if `photos` is no folder.
        StoreError: if there is no run, or a damaged one, or one of a newer version.
    """
    from heap.run import Collection

    return Collection(run, photos=photos, urls=urls)


def __getattr__(name: str) -> Any:
    # Torch is only imported with what needs it, so that `heap --help` is quick.
    if name not in _HOMES:
        raise AttributeError(f"module 'heap' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

"""HEAP: finds the objects in unlabelled images.

This is the public face: whatever else is imported by a user may change without notice.
"""

import os
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from heap.base.errors import HeapError, ImageError, InputError
    from heap.benchmark.run.command import evaluate
    from heap.discovery.command import discover
    from heap.discovery.outcome import Discovery
    from heap.encoder.base import Encoder
    from heap.encoder.load import load_encoder
    from heap.fitting.command import fit
    from heap.model.exporting import export_model
    from heap.model.heap import Heap
    from heap.pretraining.command import pretrain
    from heap.results import ImageResult, Objects, Regions
    from heap.run import Run
    from heap.serving.command import serve

# Drawing and run lengths work without OpenCV, which nothing here asks for; supervision would say so
# at every start.
warnings.filterwarnings("ignore", r"OpenCV .* is not installed", UserWarning)
# Threads of OpenMP that wait for each other turn in a loop for a while before they sleep. Where
# another program has one of the cores, that happens thousands of times in every image, which then
# takes ten times as long. Whoever has said how to wait, or has imported torch already, keeps that.
if not os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:
    os.environ["GOMP_SPINCOUNT"] = "10000"

# Not `open`: `from heap import *` would hide Python's own. It is `heap.open`.
__all__ = [
    "Discovery",
    "Encoder",
    "Heap",
    "HeapError",
    "ImageError",
    "ImageResult",
    "InputError",
    "Objects",
    "Regions",
    "Run",
    "discover",
    "evaluate",
    "export_model",
    "fit",
    "load_encoder",
    "pretrain",
    "serve",
]

# No module of the package may have the name of a function here: importing `heap.x` binds `x`.
_HOMES = {
    "Discovery": "heap.discovery.outcome",
    "Encoder": "heap.encoder.base",
    "Heap": "heap.model.heap",
    "HeapError": "heap.base.errors",
    "ImageError": "heap.base.errors",
    "ImageResult": "heap.results",
    "InputError": "heap.base.errors",
    "Objects": "heap.results",
    "Regions": "heap.results",
    "Run": "heap.run",
    "discover": "heap.discovery.command",
    "evaluate": "heap.benchmark.run.command",
    "export_model": "heap.model.exporting",
    "fit": "heap.fitting.command",
    "load_encoder": "heap.encoder.load",
    "pretrain": "heap.pretraining.command",
    "serve": "heap.serving.command",
}


def open(run: "Path | str", *, photos: "Path | str | None" = None, urls: bool = False) -> "Run":
    """Open the run in a folder or at a URL.

    Its photos are read again where they were, or below the folder `photos` if they were moved;
    those that came from URLs only with `urls`.

    Raises:
        InputError: if `photos` is no folder.
        StoreError: if there is no run, or a damaged one, or one of a newer version.
    """
    from heap.run import Run

    return Run(run, photos=photos, urls=urls)


def __getattr__(name: str) -> Any:
    # Torch is only imported with what needs it, so that `heap --help` is quick.
    if name == "__version__":
        from importlib.metadata import version

        return version("heap")
    if name not in _HOMES:
        raise AttributeError(f"module 'heap' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "__version__"})

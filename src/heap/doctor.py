"""Check of this machine: what works, what does not, and what to do about it."""

import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from heap.base.cache import cache_dir
from heap.base.device import choose_device
from heap.base.errors import HeapError

CODECS = {
    "JPEG": "jpg",
    "PNG": "zlib",
    "WebP": "webp",
    "AVIF": "avif",
    "TIFF": "libtiff",
    "JPEG 2000": "jpg_2000",
}
"""Image formats by the name that Pillow gives the library behind each."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    value: str
    ok: bool = True
    hint: str = ""
    """Advice on what to do; empty if all is well."""


def check(network: bool = False) -> list[Finding]:
    """Check everything that `heap` depends on; the hub is only asked with `network`."""
    return [
        Finding("Python", platform.python_version()),
        Finding("heap", metadata.version("heap")),
        *_processor(),
        *_codecs(),
        _embedded(),
        _hub() if network else Finding("hub", "not asked"),
        _cache(),
    ]


def _processor() -> list[Finding]:
    import torch

    from heap.encoder.precision import has_bf16

    cuda = torch.cuda.is_available()
    device = torch.device(choose_device("auto"))
    native = has_bf16(device)
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    name = f", {torch.cuda.get_device_name()}" if cuda else ""
    lost = bool(torch.version.cuda) and not cuda
    return [
        Finding(
            "torch",
            f"{torch.__version__}, built for {build}{name}",
            not lost,
            "this torch is built for a GPU but sees none; look at the driver" if lost else "",
        ),
        Finding("bf16", f"native on {device}" if native else f"not on {device}; fp32 is used"),
        Finding("threads", str(torch.get_num_threads())),
    ]


def _codecs() -> list[Finding]:
    from PIL import features

    return [
        Finding(name, "yes")
        if features.check(library)
        else Finding(name, "no", False, f"install a Pillow that is built with {library}")
        for name, library in CODECS.items()
    ]


def _embedded() -> Finding:
    from heap.encoder.load import load_encoder

    hint = "install heap again"
    return _attempt("embedded weights", lambda: load_encoder("embedded").fingerprint[:12], hint)


def _hub() -> Finding:
    from heap.encoder import hub

    fault = hub.unreachable_reason()
    if fault is None:
        return Finding("hub", "answers")
    hint = "the embedded encoder and local folders work without it"
    return Finding("hub", f"no answer ({fault})", False, hint)


def _cache() -> Finding:
    hint = "set HEAP_CACHE_DIR to a folder that can be written"
    return _attempt("cache", lambda: str(_writable(cache_dir())), hint)


def _writable(folder: Path) -> Path:
    # What does not exist yet is not made for a check; its parent tells as much.
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    with tempfile.TemporaryFile(dir=nearest) as file:
        file.write(b"heap")
    return folder


def _attempt(what: str, action: Callable[[], str], hint: str) -> Finding:
    try:
        return Finding(what, action())
    except (HeapError, OSError) as error:
        return Finding(what, str(error), False, hint)

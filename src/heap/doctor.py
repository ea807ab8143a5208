"""Check of this machine: what works, what does not, and what to do about it."""

import math
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from heap.base.cache import cache_dir
from heap.base.device import OPENVINO, choose_device
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
class Check:
    """One line of the report."""

    what: str
    value: str
    ok: bool = True
    hint: str = ""
    """Advice on what to do; empty if all is well."""


def check(network: bool = False, speed: bool = False) -> list[Check]:
    """Check everything that `heap` depends on; the hub is only asked with `network`.

    With `speed` it is measured how long torch and OpenVINO take for a photo.
    """
    return [
        Check("Python", platform.python_version()),
        Check("heap", metadata.version("heap")),
        *_processor(),
        *_codecs(),
        _heic(),
        _embedded(),
        _openvino(speed),
        _hub() if network else Check("hub", "not asked; --network asks it"),
        _cache(),
    ]


def _processor() -> list[Check]:
    import torch

    from heap.encoder.precision import has_bf16

    cuda = torch.cuda.is_available()
    device = torch.device(choose_device("auto"))
    native = has_bf16(device)
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    name = f", {torch.cuda.get_device_name()}" if cuda else ""
    lost = bool(torch.version.cuda) and not cuda
    return [
        Check(
            "torch",
            f"{torch.__version__}, built for {build}{name}",
            not lost,
            "this torch is built for a GPU but sees none; look at the driver" if lost else "",
        ),
        Check("bf16", f"native on {device}" if native else f"not on {device}; fp32 is used"),
        Check("threads", str(torch.get_num_threads())),
    ]


def _codecs() -> list[Check]:
    from PIL import features

    return [
        Check(name, "yes")
        if features.check(library)
        else Check(name, "no", False, f"install a Pillow that is built with {library}")
        for name, library in CODECS.items()
    ]


def _heic() -> Check:
    installed = find_spec("pillow_heif") is not None
    return Check("HEIC", "yes" if installed else "no; phones write it: pip install 'heap[heic]'")


def _embedded() -> Check:
    from heap.encoder.load import load_encoder

    hint = "install heap again"
    return _attempt("embedded weights", lambda: load_encoder("embedded").fingerprint[:12], hint)


def _openvino(speed: bool) -> Check:
    if find_spec(OPENVINO) is None:
        value = "no; it is quicker than torch on most processors: pip install 'heap[openvino]'"
    elif not speed:
        value = f"yes, --device {OPENVINO} uses it; --speed measures it"
    else:
        took = _seconds_for_a_photo(("cpu", OPENVINO))
        value = f"{took[OPENVINO]:.2f} s for a photo, torch {took['cpu']:.2f} s"
        if took[OPENVINO] < took["cpu"]:
            value += f": --device {OPENVINO} uses it"
    return Check("OpenVINO", value)


def _seconds_for_a_photo(devices: Sequence[str]) -> dict[str, float]:
    """Least time of a forward pass of the package's encoder on each device, of a few in turns."""
    import torch

    from heap.encoder.load import load_encoder
    from heap.encoder.registry import PACKAGED, recipe

    settings = recipe(PACKAGED[0]).feature_config
    photo = torch.full((1, 3, settings.resolution, settings.resolution), 0.5)
    encoders = {device: load_encoder(PACKAGED[0], device=device) for device in devices}
    took = dict.fromkeys(devices, math.inf)
    # The first pass compiles and warms up, and is left out.
    for attempt, (device, encoder) in product(range(4), encoders.items()):
        began = time.perf_counter()
        encoder(photo, settings.layer, settings.facet)
        if attempt:
            took[device] = min(took[device], time.perf_counter() - began)
    return took


def _hub() -> Check:
    from heap.encoder import hub

    fault = hub.unreachable_reason()
    if fault is None:
        return Check("hub", "answers")
    hint = "the embedded encoder and local folders work without it"
    return Check("hub", f"no answer ({fault})", False, hint)


def _cache() -> Check:
    hint = "set HEAP_CACHE_DIR to a folder that can be written"
    return _attempt("cache", lambda: str(_writable(cache_dir())), hint)


def _writable(folder: Path) -> Path:
    # What does not exist yet is not made for a check; its parent tells as much.
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    with tempfile.TemporaryFile(dir=nearest) as file:
        file.write(b"heap")
    return folder


def _attempt(what: str, action: Callable[[], str], hint: str) -> Check:
    try:
        return Check(what, action())
    except (HeapError, OSError) as error:
        return Check(what, str(error), False, hint)

"""Loading of an encoder by name, whichever network it is made of."""

from dataclasses import replace
from pathlib import Path

import torch

from heap.base.device import OPENVINO, choose_device
from heap.base.errors import InputError, first_line
from heap.base.forked import compute_after_fork
from heap.base.numbers import text
from heap.config import Precision
from heap.encoder import hub
from heap.encoder.architecture import TransformerArchitecture
from heap.encoder.base import Encoder, Origin
from heap.encoder.files import EncoderFiles, find_files
from heap.encoder.precision import choose_precision, usual_state
from heap.encoder.registry import resolve
from heap.encoder.weights import load_model, read_normalisation


@usual_state()
def load_encoder(name: str, *, device: str = "cpu", precision: Precision = "auto") -> Encoder:
    """Load an encoder by alias, hub name or local folder; only a hub name uses the network.

    Its config.json says whether it is a vision transformer or a pyramid. `auto` precision is bf16
    where the device has instructions for it. The device "openvino" is the processor, too, see
    `heap.encoder.openvino`.

    Raises:
        InputError: if `name` or `device` is unknown.
        ConfigError: if `precision` is unknown.
        WeightsError: if the weights cannot be fetched, are damaged, or are not the model's.
    """
    compute_after_fork()
    compiled = device == OPENVINO
    if compiled:
        # Imported here: the tracing of torch takes a second.
        from heap.encoder.openvino import CompiledEncoder, check_installed

        check_installed()
    target = _find_device("cpu" if compiled else device)
    place = resolve(text("encoder", name))
    chosen = choose_precision(precision, target)
    files = find_files(place if isinstance(place, Path) else hub.fetch(place))
    origin = Origin(name, files.digest(), chosen, read_normalisation(files))
    if compiled:
        # The network is described in fp32; OpenVINO rounds by itself.
        described = _load(files, replace(origin, precision="fp32"))
        return CompiledEncoder(described, origin)
    return _load(files, origin).to(target)


def _load(files: EncoderFiles, origin: Origin) -> Encoder:
    """Load the network of an encoder with torch."""
    model, architecture = load_model(files)
    # Imported here, and only the one that is needed: models of transformers take a second.
    if isinstance(architecture, TransformerArchitecture):
        from heap.encoder.vit import VisionTransformer

        return VisionTransformer(model, origin, architecture)
    from heap.encoder.pyramid import Pyramid

    return Pyramid(model, origin)


def _find_device(name: str) -> torch.device:
    """Device of this name, after a trial of it.

    Raises:
        InputError: if it cannot be used.
    """
    try:
        # A number is read back, because the device "meta" accepts tensors but holds no numbers.
        probe = torch.zeros(1, device=choose_device(name))
        probe.item()
        return probe.device
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = first_line(error).partition(". ")[0]
        # For an unknown kind, torch lists dozens of kinds that nobody here has.
        short = "there is no such kind" if "Expected one of" in reason else reason
        raise InputError(
            f"device {name!r} cannot be used ({short}); give cpu, openvino, cuda, mps or auto"
        ) from error

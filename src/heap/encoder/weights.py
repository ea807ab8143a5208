"""From files to a model of transformers, complete or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from heap.base.errors import WeightsError
from heap.encoder.architecture import Architecture, read_architecture
from heap.encoder.families import FAMILIES
from heap.encoder.files import PREPROCESSOR, SUFFIX, EncoderFiles, file_digest, read_json
from heap.encoder.quiet import without_bars

_EXAMPLE = (
    'for most that were trained on ImageNet {"image_mean": [0.485, 0.456, 0.406], '
    '"image_std": [0.229, 0.224, 0.225]}, for others 0.5 six times'
)
"""Of what the file of the preprocessor holds."""

_COUNTER = "num_batches_tracked"

_SHOWN = 5
"""Keys that an error names."""

State = dict[str, Tensor]
Colour = tuple[float, float, float]


def load_model(files: EncoderFiles) -> tuple[nn.Module, Architecture]:
    """Build the model in float32 and fill in every weight; nothing in the files is run.

    Raises:
        WeightsError: if a file is damaged, or the weights are not finite or not the model's.
    """
    architecture = read_architecture(files)
    family = FAMILIES[architecture.model_type]
    config, needed = _configuration(architecture, files)
    state: State = {}
    for path in files.weights:
        state |= read_state(path)
    _check_size(needed, state, files)
    with _quiet():
        # Given a state instead of a name, transformers reads no file, and still knows old keys.
        model, info = getattr(transformers, family.model).from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **dict(family.options),
        )
    _check_complete(info, files)
    _check_finite(model, files)
    return model, architecture


def read_normalisation(files: EncoderFiles) -> tuple[Colour, Colour]:
    """Mean and standard deviation that the encoder was trained with, for colours in [0, 1].

    Nobody can guess them: families of encoders differ, and with those of another one features are
    wrong without looking so.

    Raises:
        WeightsError: if there is no file of the preprocessor, or not two usable colours in it.
    """
    path = files.preprocessor
    if path is None:
        raise WeightsError(
            f"{files.config.parent} has no {PREPROCESSOR}, which says how colours were normalised "
            f"in training; fetch it from where the weights are from, or write it, {_EXAMPLE}"
        )
    values = read_json(path)
    if values.get("do_rescale", True) is not True or not _is_usual(values):
        raise WeightsError(
            f"{path}: do_rescale and rescale_factor ask for colours that are not in [0, 1]; such "
            "an encoder cannot be used"
        )
    if values.get("do_normalize", True) is False:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if missing := [name for name in ("image_mean", "image_std") if name not in values]:
        raise WeightsError(f"{path} has no {' and no '.join(missing)}; write them, {_EXAMPLE}")
    mean, std = (_colour(values[name], path) for name in ("image_mean", "image_std"))
    if min(std) <= 0:
        raise WeightsError(f"{path}: image_std {std} is not positive")
    return mean, std


def _is_usual(values: dict[str, Any]) -> bool:
    factor = values.get("rescale_factor", 1 / 255)
    return isinstance(factor, float) and abs(factor * 255 - 1) < 1e-3


def _colour(value: Any, path: Path) -> Colour:
    try:
        red, green, blue = (float(channel) for channel in value)
    except (TypeError, ValueError):
        raise WeightsError(f"{path}: {value!r} is not three numbers, one a channel") from None
    if not all(abs(channel) <= 1 for channel in (red, green, blue)):
        raise WeightsError(f"{path}: {value!r} is no colour within [-1, 1]")
    return red, green, blue


def read_state(path: Path) -> State:
    """Named floating-point tensors of a file; nothing in it is run.

    Raises:
        WeightsError: if the file is damaged or holds anything else.
    """
    try:
        if path.suffix == SUFFIX:
            state: object = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged or hostile file can make its reader fail in any way.
        raise _damaged(path, error) from error
    if not isinstance(state, dict):
        raise WeightsError(f"{path} holds a {type(state).__name__} instead of named tensors")
    for name, value in state.items():
        if not isinstance(value, Tensor) or not (value.is_floating_point() or _counts(name, value)):
            raise WeightsError(f"{path}: {name!r} is not a tensor of floating-point numbers")
    return state


def _counts(name: str, value: Tensor) -> bool:
    """Whether it is batch normalisation's count of its training steps, the only integer."""
    return name.rpartition(".")[2] == _COUNTER and value.dtype == torch.int64 and value.ndim == 0


def _damaged(path: Path, error: Exception) -> WeightsError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    try:
        digest = f"its SHA-256 is {file_digest(path)}, compare it with its source's and"
    except OSError:
        digest = "make it readable or"
    return WeightsError(f"{path} cannot be loaded ({reason}); {digest} fetch it again")


def _configuration(architecture: Architecture, files: EncoderFiles) -> tuple[Any, int]:
    """The configuration for transformers, and how many weights its model has."""
    family = FAMILIES[architecture.model_type]
    kind = getattr(transformers, family.model)
    values = architecture.model_dump(exclude_none=True, exclude={"model_type"})
    try:
        config = kind.config_class(**values)
        with torch.device("meta"):
            empty: nn.Module = kind(config, **dict(family.options))
    except (LookupError, TypeError, ValueError, RuntimeError, StrictDataclassError) as error:
        raise WeightsError(f"{files.config} describes no working model ({error})") from error
    return config, sum(weight.numel() for weight in empty.parameters())


def _check_size(needed: int, state: State, files: EncoderFiles) -> None:
    # transformers makes room for weights that are missing: not for a lie of config.json.
    held = sum(weight.numel() for weight in state.values() if weight.is_floating_point())
    if needed > 2 * held:
        raise WeightsError(
            f"{files.config} describes {needed} weights, but {files.weights[0]} holds {held}: "
            "they do not belong together"
        )


def _check_complete(info: dict[str, Any], files: EncoderFiles) -> None:
    missing = sorted(key for key in info["missing_keys"] if not _is_spare(key))
    unexpected = sorted(key for key in info["unexpected_keys"] if not _is_spare(key))
    shapes = sorted(
        f"{key} {tuple(ours)} instead of {tuple(wanted)}"
        for key, ours, wanted in info["mismatched_keys"]
    )
    found = {"missing": missing, "not the model's": unexpected, "of another shape": shapes}
    faults = [f"{what}: {_first(keys)}" for what, keys in found.items() if keys]
    faults += [str(message) for message in info["error_msgs"]]
    if faults:
        raise WeightsError(
            f"{files.weights[0]} does not hold the weights of the model that {files.config} "
            f"describes ({'; '.join(faults)}); take both from one source"
        )


def _is_spare(key: str) -> bool:
    """What features do not depend on: the pooler, the token of masked training, a counter."""
    return "pooler" in key.split(".") or key.rpartition(".")[2] in ("mask_token", _COUNTER)


def _check_finite(model: nn.Module, files: EncoderFiles) -> None:
    state = chain(model.named_parameters(), model.named_buffers())
    broken = [name for name, value in state if not value.isfinite().all()]
    if broken:
        raise WeightsError(
            f"{files.weights[0]} holds NaN or infinite weights ({_first(broken)}); "
            "its training or its conversion failed, take another file"
        )


def _first(keys: list[str]) -> str:
    more = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' bars and advice off the terminal: what matters becomes an error."""
    switch: Any = transformers_logging  # Any: most of its functions are not annotated
    level = switch.get_verbosity()
    switch.set_verbosity_error()
    try:
        with without_bars():
            yield
    finally:
        switch.set_verbosity(level)

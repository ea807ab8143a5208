"""Models of transformers loaded from files, complete or not at all."""

from itertools import chain
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from torch import nn

from heap.base.errors import WeightsError
from heap.encoder.architecture import (
    FAMILIES,
    Architecture,
    check_architecture,
    read_architecture,
)
from heap.encoder.files import PREPROCESSOR, EncoderFiles, read_json
from heap.encoder.original import COLOURS, read_original
from heap.encoder.quiet import quietly
from heap.encoder.state import COUNTER, State, read_state

_EXAMPLE = (
    'for most that were trained on ImageNet {"image_mean": [0.485, 0.456, 0.406], '
    '"image_std": [0.229, 0.224, 0.225]}, for others 0.5 six times'
)
"""Example of the content of a preprocessor file, for messages."""

_SHOWN = 5
"""Keys that an error names at most."""

Colour = tuple[float, float, float]


def load_model(files: EncoderFiles) -> tuple[nn.Module, Architecture]:
    """Build the model in float32 and fill in every weight; nothing in the files is run.

    Raises:
        WeightsError: if a file is damaged, or the weights are not finite or not the model's.
    """
    architecture, state = _read_original(files) if files.original else _read_folder(files)
    family = FAMILIES[architecture.model_type]
    config, needed = _configuration(architecture, files)
    state = _without_head(state, getattr(transformers, family.model).base_model_prefix)
    _check_size(needed, state, files)
    with quietly():
        # With a state instead of a name, transformers reads no file, and still renames old keys.
        model, info = getattr(transformers, family.model).from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # reported by `_check_complete` instead
            output_loading_info=True,
            **dict(family.options),
        )
    _check_complete(info, files)
    _check_finite(model, files)
    return model, architecture


def read_normalisation(files: EncoderFiles) -> tuple[Colour, Colour]:
    """Mean and standard deviation that the encoder was trained with, for colours in [0, 1].

    They are never guessed: families of encoders differ, and with those of another family features
    are wrong without looking so. Original checkpoints of DINO and DINOv2 are all of one kind.

    Raises:
        WeightsError: if there is no file of the preprocessor, or not two usable colours in it.
    """
    path = files.preprocessor
    if path is None and files.original:
        return COLOURS
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
    """Whether colours are scaled by 1 / 255, as files round it."""
    factor = values.get("rescale_factor", 1 / 255)
    return isinstance(factor, float) and abs(factor * 255 - 1) < 1e-3


def _colour(value: Any, path: Path) -> Colour:
    try:
        red, green, blue = (float(channel) for channel in value)
    except (TypeError, ValueError, OverflowError):
        raise WeightsError(f"{path}: {value!r} is not three numbers, one a channel") from None
    # Colours are in [0, 1]; some networks want them in 0 .. 255, and would be wrong unnoticed.
    if not all(abs(channel) <= 1 for channel in (red, green, blue)):
        raise WeightsError(f"{path}: {value!r} is no colour within [-1, 1]")
    return red, green, blue


def _read_original(files: EncoderFiles) -> tuple[Architecture, State]:
    values, state = read_original(files.config)
    return check_architecture(values, files.config), state


def _read_folder(files: EncoderFiles) -> tuple[Architecture, State]:
    architecture = read_architecture(files.config)
    state: State = {}
    for path in files.weights:
        state |= read_state(path)
    return architecture, state


def _without_head(state: State, prefix: str) -> State:
    """Weights of the encoder alone, if the file is of a model with a head, such as a classifier.

    There the names of the encoder's own weights begin with `prefix`, and in no other file do any.
    """
    if prefix == "model":  # DINOv3 calls a part of the encoder so too
        return state
    own = {name: value for name, value in state.items() if name.startswith(f"{prefix}.")}
    return own or state


def _configuration(architecture: Architecture, files: EncoderFiles) -> tuple[Any, int]:
    """Configuration for transformers, and the number of weights of its model."""
    family = FAMILIES[architecture.model_type]
    kind = getattr(transformers, family.model)
    values = architecture.model_dump(exclude_none=True, exclude={"model_type"})
    try:
        config = kind.config_class(**values)
        # On the meta device, so that counting takes no memory, whatever sizes the file names.
        with torch.device("meta"):
            empty: nn.Module = kind(config, **dict(family.options))
    except (LookupError, TypeError, ValueError, RuntimeError, StrictDataclassError) as error:
        raise WeightsError(f"{files.config} describes no working model ({error})") from error
    return config, sum(weight.numel() for weight in empty.parameters())


def _check_size(needed: int, state: State, files: EncoderFiles) -> None:
    # Transformers makes room for weights that are missing, so a false config.json could take all
    # memory. Up to twice as many are let through to `_check_complete`, which names the missing.
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
    kinds = {"missing": missing, "not the model's": unexpected, "of another shape": shapes}
    faults = [f"{kind}: {_list_some(keys)}" for kind, keys in kinds.items() if keys]
    faults += [str(message) for message in info["error_msgs"]]
    if faults:
        raise WeightsError(
            f"{files.weights[0]} does not hold the weights of the model that {files.config} "
            f"describes ({'; '.join(faults)}); take both from one source"
        )


def _is_spare(key: str) -> bool:
    """Whether features do not depend on a weight: pooler, token of masked training, counter."""
    return "pooler" in key.split(".") or key.rpartition(".")[2] in ("mask_token", COUNTER)


def _check_finite(model: nn.Module, files: EncoderFiles) -> None:
    state = chain(model.named_parameters(), model.named_buffers())
    broken = [name for name, value in state if not value.isfinite().all()]
    if broken:
        raise WeightsError(
            f"{files.weights[0]} holds NaN or infinite weights ({_list_some(broken)}); "
            "its training or its conversion failed, take another file"
        )


def _list_some(keys: list[str]) -> str:
    more = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

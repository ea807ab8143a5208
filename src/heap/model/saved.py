"""Folder of a saved model: where it is, and the configuration in it."""

import os
from dataclasses import field
from pathlib import Path
from typing import Any

from pydantic.dataclasses import dataclass

from heap.base.errors import ConfigError, InputError
from heap.base.files import read_object
from heap.config import CHECKED, FeatureConfig, HeadConfig, from_dict, refuse_in_words
from heap.encoder import hub
from heap.encoder.files import CONFIG
from heap.encoder.registry import PACKAGED, is_hub_name, packaged_head

_ADVICE = (
    f"use {' or '.join(map(repr, PACKAGED))}, a folder that `heap fit` has written, or owner/name "
    "of the hub"
)


@refuse_in_words
@dataclass(frozen=True, kw_only=True, config=CHECKED)
class ModelConfig:
    """Content of config.json of a saved model."""

    format: int = 6
    """Version of the format, raised when older versions of the package cannot read it any more."""
    features: FeatureConfig = FeatureConfig()
    head: HeadConfig = HeadConfig()
    encoder_fingerprint: str = ""
    """SHA-256 of the encoder that the head was fitted on."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Record of the fit: images, losses, settings, version."""


def find_folder(name: str | Path) -> Path:
    """Folder of a model: in the package, on this machine or, as the last resort, from the hub."""
    if not isinstance(name, str | os.PathLike):
        raise InputError(f"{name!r} is no model; give the name of one, a folder or owner/name")
    if str(name) in PACKAGED:
        return packaged_head(str(name))
    if (Path(name) / CONFIG).is_file():
        return Path(name)
    if Path(name).exists():
        raise InputError(f"{name} is no model: it has no {CONFIG}; `heap fit` makes one")
    if not is_hub_name(str(name)):
        raise InputError(f"there is no model {str(name)!r}; {_ADVICE}")
    try:
        return hub.fetch_head(str(name))
    except InputError as error:
        raise InputError(
            f"there is no model {str(name)!r}: it is no folder here, and the hub gave none "
            f"({error}); {_ADVICE}"
        ) from error


def read_config(folder: Path) -> ModelConfig:
    """Read the configuration of a model, or raise ConfigError if it is of another version."""
    path = folder / CONFIG
    try:
        values = read_object(path)
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    # Before `from_dict`, which would complain about keys that another version does not know.
    if isinstance(values.get("format"), int) and values["format"] > ModelConfig().format:
        raise ConfigError(f"{path} was written by a newer version of heap; update the package")
    if isinstance(values.get("format"), int) and values["format"] < ModelConfig().format:
        raise ConfigError(
            f"{path} was written by an earlier version of heap, whose heads were others; "
            "fit the model again with `heap fit`"
        )
    try:
        return from_dict(ModelConfig, values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None

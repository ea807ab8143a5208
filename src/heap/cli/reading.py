"""Options and settings files, as the commands read them."""

import json
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from heap.base.errors import ConfigError, InputError

Images = list[str]
_GENERATOR = Parameter(validator=cyclopts.validators.Number(gte=0, lt=2**32))
"""Range of the seeds that all generators of random numbers take."""
Seed = Annotated[int, _GENERATOR]
Seeds = Annotated[list[int] | None, _GENERATOR]


def set_options(**options: Any) -> dict[str, Any]:
    """Return the options that were set; for the others the recipe of the encoder decides."""
    return {name: value for name, value in options.items() if value is not None}


def read_settings(path: Path | None) -> dict[str, Any]:
    """Read the JSON object in a settings file; empty if there is no file.

    Raises:
        InputError: if the file cannot be read.
        ConfigError: if it does not hold a JSON object.
    """
    if path is None:
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--settings {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--settings {path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"--settings {path} must hold a JSON object")
    return values


def read_sections(path: Path | None, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Read the JSON objects called `names` in a settings file; missing ones are empty.

    Raises:
        InputError: if the file cannot be read.
        ConfigError: if it holds anything else.
    """
    values = read_settings(path)
    if wrong := [key for key in values if key not in names or not isinstance(values[key], dict)]:
        raise ConfigError(
            f"--settings {path}: {', '.join(map(repr, wrong))} cannot be used; the file holds "
            f"JSON objects named {', '.join(names)}"
        )
    return {name: values.get(name, {}) for name in names}

"""Folder of a model: a record of what it was made with, and refusal of other folders."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from heap.base.errors import InputError, StoreError
from heap.base.files import read_object, replacing
from heap.base.lock import LOCK_NAME
from heap.base.training import CHECKPOINT, LOG
from heap.config import differing_keys
from heap.encoder.files import CONFIG
from heap.fitting.training import ALONE, CANDIDATES
from heap.images.failures import FAILURES

ABOUT = "learned.json"
"""Record of what the model beside it was made with; models that `heap fit` has made have none."""
_UNFINISHED = (ABOUT, LOCK_NAME, FAILURES, CHECKPOINT, LOG, ALONE, CANDIDATES)
"""Beginnings of the names of files that a fit leaves which was killed before it had a model."""


def refuse_strangers(folder: Path) -> None:
    """Accept a folder that is not there, is empty, or was written to by an earlier fit.

    Raises:
        InputError: if it holds anything else, such as photos, a run or an encoder.
    """
    if not folder.is_dir():
        return
    strangers = sorted(
        path.name for path in folder.iterdir() if not path.name.startswith(_UNFINISHED)
    )
    if strangers and not (_holds_model(folder) or (folder / CHECKPOINT).is_file()):
        raise InputError(
            f"{folder} holds {strangers[0]!r} and no model; choose a new or empty folder for --out"
        )


def name_of_encoder(folder: Path, fingerprint: str) -> str | None:
    """Name of the encoder in the model that is there already; None if it is not on this encoder.

    It stays as it is, so that the same fit may be called from another folder.
    """
    config = _read_model(folder)
    if config.get("encoder_fingerprint") != fingerprint:
        return None
    return str(config["features"]["encoder"])


def make_once(
    folder: Path, made_with: Mapping[str, Any], photos: Sequence[str], teach: Callable[[], int]
) -> dict[str, Any]:
    """Learn into the folder if that was not done yet; returns the number of images and of seconds.

    The settings are noted before the model is made, so that a kill never leaves a model whose
    settings are not known. The seconds are None if it took several goes.

    Args:
        folder: Where `teach` puts the model.
        made_with: Settings that must be the same for the model to be used again.
        photos: Images to learn from; if there are none, the model has to be there already.
        teach: Function that makes the model, and returns the number of images.

    Raises:
        InputError: if it was made otherwise, or is not there and there are no photos.
        StoreError: if the record is damaged.
    """
    path = folder / ABOUT
    # With "fit" the model is complete, without it was begun.
    about = _read(path) if path.exists() else {}
    if about:
        # Through JSON, like what it is compared with: tuples become lists.
        _refuse_other_settings(folder, about, json.loads(json.dumps(made_with)), photos)
    if "fit" in about:
        return dict(about["fit"])
    if not photos:
        raise InputError(
            f"there is no model in {folder} yet: name unlabelled images to learn from with --fit"
        )
    noted = {"made_with": made_with, "photos": photos}
    _write(path, noted)
    began = time.perf_counter()
    images = teach()
    # With a record from before, this was only the last part of the work.
    seconds = None if about else round(time.perf_counter() - began, 1)
    fitted = {"images": images, "seconds": seconds}
    _write(path, {**noted, "fit": fitted})
    return fitted


def _holds_model(folder: Path) -> bool:
    """Whether the folder has a model of ours; encoders have a config.json too."""
    return "encoder_fingerprint" in _read_model(folder)


def _read_model(folder: Path) -> dict[str, Any]:
    """Configuration in a folder; empty if there is none."""
    try:
        return read_object(folder / CONFIG)
    except ValueError:
        return {}


def _refuse_other_settings(
    folder: Path, about: dict[str, Any], made_with: dict[str, Any], photos: Sequence[str]
) -> None:
    if differing := differing_keys(about["made_with"], made_with):
        raise InputError(
            f"the model in {folder} was made otherwise: {', '.join(differing)}; choose another "
            "--model, or the settings that it was made with"
        )
    learned_from = about.get("photos", [])
    if photos and learned_from and learned_from != list(photos):
        raise InputError(
            f"the model in {folder} has learned from {', '.join(learned_from)}; choose another "
            "--model, or leave out --fit to use it as it is"
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        about = read_object(path)
    except ValueError as error:
        raise StoreError(f"{path} is damaged ({error}); delete {path.parent}") from error
    if not isinstance(about.get("made_with"), dict):
        raise StoreError(f"{path} does not say what the model was made with; delete {path.parent}")
    return about


def _write(path: Path, about: Mapping[str, Any]) -> None:
    with replacing(path) as file:
        file.write(json.dumps(about, indent=1).encode() + b"\n")

"""Folder of a model: what was learned there and with what, and refusal of other folders."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from heap.base.errors import InputError, StoreError
from heap.base.files import replacing
from heap.base.lock import LOCK_NAME
from heap.config import differing_keys
from heap.fitting.training import ALONE, CANDIDATES, CHECKPOINT, LOG
from heap.images.failures import FAILURES

ABOUT = "learned.json"
"""Says what the model beside it was made with; models that `heap fit` has made have none."""
_BEGUN = (ABOUT, LOCK_NAME, FAILURES, CHECKPOINT, LOG, ALONE, CANDIDATES)
"""What is there before a fit, or after one that was killed before it had a model; parts, too."""


def refuse_strangers(folder: Path) -> None:
    """Take a folder that is not there, is empty, or was written to by an earlier fit.

    Raises:
        InputError: if it holds anything else, such as photos, a run or an encoder.
    """
    if not folder.is_dir():
        return
    strangers = sorted(path.name for path in folder.iterdir() if not path.name.startswith(_BEGUN))
    if strangers and not (_holds_model(folder) or (folder / CHECKPOINT).is_file()):
        raise InputError(
            f"{folder} holds {strangers[0]!r} and no model; choose a new or empty folder for --out"
        )


def make_once(
    folder: Path, made_with: Mapping[str, Any], photos: Sequence[str], teach: Callable[[], int]
) -> dict[str, Any]:
    """Learn into the folder if that was not done yet; how many images, and how many seconds.

    What the model is made with is noted before it is, so that a kill leaves no model of which that
    is not known. The seconds are None if it took several goes.

    Args:
        folder: Where `teach` puts the model.
        made_with: What must be the same for the model to be used again.
        photos: What it learns from; if there are none, the model has to be there already.
        teach: Makes the model, and gives the number of images.

    Raises:
        InputError: if it was made otherwise, or is not there and there are no photos.
        StoreError: if what is noted is damaged.
    """
    path = folder / ABOUT
    about = _read(path) if path.exists() else {}
    if about:
        _compare(folder, about, json.loads(json.dumps(made_with)), photos)
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
    seconds = None if about else round(time.perf_counter() - began, 1)
    fitted = {"images": images, "seconds": seconds}
    _write(path, {**noted, "fit": fitted})
    return fitted


def _holds_model(folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(config, dict) and "encoder_fingerprint" in config


def _compare(
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
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged ({error}); delete {path.parent}") from error
    if not isinstance(about, dict) or not isinstance(about.get("made_with"), dict):
        raise StoreError(f"{path} does not say what the model was made with; delete {path.parent}")
    return about


def _write(path: Path, about: Mapping[str, Any]) -> None:
    with replacing(path) as file:
        file.write(json.dumps(about, indent=1).encode() + b"\n")

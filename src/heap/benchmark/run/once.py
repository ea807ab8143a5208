"""Models that methods learn once: a record of what each was made with, and refusal of others."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from heap.base.errors import InputError, StoreError
from heap.base.files import read_object, replacing
from heap.config import differing_keys
from heap.fitting.folder import ABOUT


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

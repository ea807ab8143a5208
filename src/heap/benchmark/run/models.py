"""The folder of a model that was learned: what it was made with, so that it is made only once."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from heap.base.errors import InputError, StoreError
from heap.base.files import replacing
from heap.config import differing_keys

ABOUT = "learned.json"
"""Says what the model beside it was made with; models that `heap fit` has made have none."""


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

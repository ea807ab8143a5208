"""Folder of a model: refusal of other folders, and the encoder that is named in it."""

from pathlib import Path
from typing import Any

from heap.base.errors import InputError
from heap.base.files import read_object
from heap.base.lock import LOCK_NAME
from heap.base.training import CHECKPOINT, LOG
from heap.encoder.files import CONFIG
from heap.fitting.training import ALONE, CANDIDATES
from heap.images.failures import FAILURES

ABOUT = "learned.json"
"""Record of what the model beside it was made with, see `heap.benchmark.run.once`; models that
`heap fit` has made have none."""
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


def _holds_model(folder: Path) -> bool:
    """Whether the folder has a model of ours; encoders have a config.json too."""
    return "encoder_fingerprint" in _read_model(folder)


def _read_model(folder: Path) -> dict[str, Any]:
    """Configuration in a folder; empty if there is none."""
    try:
        return read_object(folder / CONFIG)
    except ValueError:
        return {}

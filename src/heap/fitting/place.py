"""Whether a model may be written to a folder: not among what is somebody else's."""

import json
from pathlib import Path

from heap.base.errors import InputError
from heap.base.lock import LOCK_NAME
from heap.benchmark.run.models import ABOUT
from heap.fitting.training import ALONE, CANDIDATES, CHECKPOINT, LOG
from heap.report.coco import FAILURES

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


def _holds_model(folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(config, dict) and "encoder_fingerprint" in config

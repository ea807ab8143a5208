"""Photos of the run, read again for a page; no answer says where they lie on this machine."""

from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException

from heap.base.errors import ImageError
from heap.images import Limits, Picture, decode_bytes
from heap.images.decode import DEFAULT_LIMITS
from heap.serving.served import ServedRun
from heap.store.photos import CHANGED, GONE, REFUSED

_SAID = {
    GONE: "the photo is not where it was; start heap serve with --photos FOLDER if it was moved",
    CHANGED: "the photo is not the one that was discovered; discover its folder again",
    REFUSED: "the photo lies where heap serve does not look for it unless it is started with "
    "--photos FOLDER, or with --urls for what came from URLs",
}


def read_again(
    served: ServedRun, row: Mapping[str, Any], limits: Limits = DEFAULT_LIMITS
) -> Picture:
    """Read the photo of an image again, by its row in the snapshot.

    Raises:
        HTTPException: with status 410 if it is not there, not the same any more, or not to be read.
    """
    key = row["key"]
    try:
        photo = served.collection.photos.read(key, row["source"], row["digest"], limits.byte_count)
        return decode_bytes(key, photo.data, limits)
    except ImageError as error:
        raise HTTPException(410, _SAID.get(error.stage, error.reason)) from error

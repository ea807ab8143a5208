"""Results as files for other tools: COCO annotations, and the list of images that failed."""

import json
import shutil
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from heap.collection.records import Failure
from heap.report.files import replacing
from heap.results import ImageResult

FAILURES = "failed.jsonl"
"""Where a run and a model list the images that could not be used."""


def write_coco(results: Iterable[ImageResult], path: Path) -> None:
    """Write `results`, in the order given, as one COCO file; ids count from 1 in that order.

    Every annotation has a run-length mask, `iscrowd` 0 and a `score`, so that the file serves as
    annotations and, its list of annotations taken alone, as detections. The same results give the
    same bytes, and a run of any size fits in memory.

    Raises:
        InputError: if the file cannot be written.
    """
    info = {"description": "Objects found by HEAP, without labels", "version": version("heap")}
    categories = [{"id": 1, "name": "object", "supercategory": ""}]
    with replacing(path) as file, tempfile.TemporaryFile(dir=path.parent) as annotations:
        file.write(b'{"info": ' + _json(info))
        file.write(b',\n"licenses": [],\n"categories": ' + _json(categories) + b',\n"images": [')
        _write_both(results, file, annotations)
        file.write(b'\n],\n"annotations": [')
        annotations.seek(0)
        shutil.copyfileobj(annotations, file)
        file.write(b"\n]}\n")


def write_failures(failures: Iterable[Failure], path: Path) -> None:
    """Write one JSON object per line for each image that failed: its path, stage and reason.

    Raises:
        InputError: if the file cannot be written.
    """
    with replacing(path) as file:
        for failure in failures:
            line = {"path": failure.key, "stage": failure.stage, "reason": failure.reason}
            file.write(_json(line) + b"\n")


def coco_image(result: ImageResult, image_id: int) -> dict[str, Any]:
    """The entry of an image in a COCO file; `file_name` is its key."""
    return {
        "id": image_id,
        "file_name": result.key,
        "width": result.width,
        "height": result.height,
    }


def _write_both(results: Iterable[ImageResult], images: BinaryIO, annotations: BinaryIO) -> None:
    next_id = 1
    for image_id, result in enumerate(results, start=1):
        images.write((b"\n" if image_id == 1 else b",\n") + _json(coco_image(result, image_id)))
        for annotation in result.to_coco(image_id, next_id):
            annotations.write((b"\n" if next_id == 1 else b",\n") + _json(annotation))
            next_id += 1


def _json(value: Any) -> bytes:
    # Plain ASCII survives any reader's idea of an encoding.
    return json.dumps(value, allow_nan=False).encode("ascii")

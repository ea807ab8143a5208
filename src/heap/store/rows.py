"""Conversion of results to rows of the tables and back; a checksum shows damage."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heap.images.failures import Failure
from heap.results import ImageResult, Objects, Regions, Rle
from heap.store.records import Finished

Row = Mapping[str, Any]


def image_row(record: Finished | Failure) -> dict[str, Any]:
    """The row of the image table that marks the image of `record` as finished."""
    if isinstance(record, Failure):
        return {
            "key": record.key,
            "status": "failed",
            "checksum": _failure_checksum(record),
            "stage": _valid_text(record.stage),
            "reason": _valid_text(record.reason),
            "source": record.source,
        }
    result, regions = record.result, record.result.regions
    grid_h, grid_w = result.saliency.shape
    return {
        "key": result.key,
        "status": "done" if len(result.objects) else "empty",
        "checksum": _checksum(result),
        "digest": record.digest,
        "note": _valid_text(record.note),
        "width": result.width,
        "height": result.height,
        "objects": len(result.objects),
        "grid_h": grid_h,
        "grid_w": grid_w,
        "saliency": _pack(result.saliency),
        "label_map": regions.label_map.astype("<u2").tobytes(),
        "region_embeddings": _pack(regions.embeddings),
        "region_scores": _pack(regions.scores),
        "region_areas": _pack(regions.areas),
        "foreground": result.foreground,
        "background": result.background,
        "thumbnail": record.thumbnail,
        "source": record.source,
        "stamp": record.stamp,
    }


def object_rows(record: Finished) -> list[dict[str, Any]]:
    """The rows of the object table for one image."""
    key, objects = record.key, record.result.objects
    return [
        {
            "id": f"{key}#{index}",
            "key": key,
            "index": index,
            **dict(zip(("x1", "y1", "x2", "y2"), objects.boxes[index], strict=True)),
            "score": objects.scores[index],
            "region": objects.regions[index],
            **mask_cells(mask),
            "vector": objects.embeddings[index],
            "category": None,
            "similarity": None,
            "rejected": False,
            "reviewed": False,
            "drawn": index in record.drawn,
            "outdated": False,
        }
        for index, mask in enumerate(objects.masks)
    ]


def mask_cells(mask: Rle) -> dict[str, Any]:
    """Cells of the row of an object that hold its mask."""
    return {"mask_height": mask.height, "mask_width": mask.width, "mask_counts": mask.counts}


def to_failure(row: Row) -> Failure:
    """The failure that `row` was made of; raises ValueError if the row is damaged."""
    failure = Failure(row["key"], row["stage"], row["reason"], row["source"] or "")
    if row["checksum"] != _failure_checksum(failure):
        raise ValueError(f"the row of {failure.key!r} has changed")
    return failure


def to_finished(row: Row, objects: Sequence[Row], dim: int) -> Finished:
    """The record that `row` and the rows of its objects were made of; `dim` is of embeddings.

    Raises:
        ValueError: if any of them is damaged or missing.
    """
    result = _to_result(row, objects, dim)
    ids = [f"{result.key}#{index}" for index in range(row["objects"])]
    if row["checksum"] != _checksum(result) or ids != [part["id"] for part in objects]:
        raise ValueError(f"the rows of {result.key!r} have changed")
    source, stamp = row["source"] or "", row["stamp"] or ""
    drawn = tuple(index for index, part in enumerate(objects) if part["drawn"])
    return Finished(result, row["thumbnail"], row["digest"], row["note"], source, stamp, drawn)


def redrawn_cells(row: Row, objects: Sequence[Row], dim: int) -> dict[str, Any]:
    """Cells of the row of an image that depend on its objects, for other objects than it had."""
    return {
        "key": row["key"],
        "status": "done" if objects else "empty",
        "checksum": _checksum(_to_result(row, objects, dim)),
        "objects": len(objects),
    }


def _to_result(row: Row, objects: Sequence[Row], dim: int) -> ImageResult:
    grid = (row["grid_h"], row["grid_w"])
    region_dim = len(row["foreground"])
    return ImageResult(
        key=row["key"],
        width=row["width"],
        height=row["height"],
        objects=_to_objects(objects, dim),
        regions=Regions(
            label_map=np.frombuffer(row["label_map"], "<u2").astype(np.int64).reshape(grid),
            embeddings=_unpack(row["region_embeddings"]).reshape(-1, region_dim),
            scores=_unpack(row["region_scores"]),
            areas=_unpack(row["region_areas"]),
        ),
        saliency=_unpack(row["saliency"]).reshape(grid),
        foreground=np.asarray(row["foreground"], dtype=np.float32),
        background=np.asarray(row["background"], dtype=np.float32),
    )


def _to_objects(rows: Sequence[Row], dim: int) -> Objects:
    corners = [[row[side] for side in ("x1", "y1", "x2", "y2")] for row in rows]
    vectors = [row["vector"] for row in rows]
    return Objects(
        boxes=np.asarray(corners, dtype=np.float32).reshape(-1, 4),
        scores=np.asarray([row["score"] for row in rows], dtype=np.float32),
        masks=tuple(Rle(row["mask_height"], row["mask_width"], row["mask_counts"]) for row in rows),
        embeddings=np.asarray(vectors, dtype=np.float32).reshape(len(rows), dim),
        regions=np.asarray([row["region"] for row in rows], dtype=np.int64),
    )


def _checksum(result: ImageResult) -> bytes:
    objects, regions = result.objects, result.regions
    masks = [(mask.height, mask.width, mask.counts) for mask in objects.masks]
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([result.key, result.width, result.height, masks]).encode())
    for array in (
        *(objects.boxes, objects.scores, objects.embeddings, objects.regions),
        *(regions.label_map, regions.embeddings, regions.scores, regions.areas),
        *(result.saliency, result.foreground, result.background),
    ):
        digest.update(array.tobytes())
    return digest.digest()


def _failure_checksum(failure: Failure) -> bytes:
    parts = [failure.key, _valid_text(failure.stage), _valid_text(failure.reason)]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).digest()


def _valid_text(message: str) -> str:
    """Return a message as valid UTF-8, which the store needs and file names in it may not be."""
    return message.encode("utf-8", "backslashreplace").decode()


def _pack(array: np.ndarray) -> bytes:
    return array.astype("<f4").tobytes()


def _unpack(packed: bytes) -> np.ndarray:
    return np.frombuffer(packed, "<f4").astype(np.float32)

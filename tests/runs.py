"""Runs with objects that tests make up, as `heap discover` would have stored them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from heap.results import ImageResult, Objects, Regions, Rle
from heap.store.editing import Editor
from heap.store.photos import note_folders
from heap.store.records import Finished
from heap.store.store import RunStore

DIM = 3

Masks = Mapping[str, Sequence[np.ndarray]]
"""The masks of the objects of each image, by its key."""


def blobs(shape: tuple[int, int], seed: int, share: float = 0.4, smooth: float = 16) -> np.ndarray:
    """A mask of several pieces, some with holes, that covers `share` of an image."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), smooth)
    found: np.ndarray = noise > np.quantile(noise, 1 - share)
    return found


def ring(shape: tuple[int, int], centre: tuple[int, int], outer: int, inner: int) -> np.ndarray:
    """A disc with a round hole; centre in rows and columns, radii in pixels."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    away = np.hypot(rows - centre[0], columns - centre[1])
    found: np.ndarray = (away <= outer) & (away > inner)
    return found


def result_of(
    key: str, masks: Sequence[np.ndarray], size: tuple[int, int], seed: int = 0
) -> ImageResult:
    """Objects with these masks in an image of `size` (height, width), scores 0.9, 0.8, ..."""
    draw = np.random.default_rng(seed)
    count, none = len(masks), np.zeros((1, DIM), dtype=np.float32)
    return ImageResult(
        key=key,
        width=size[1],
        height=size[0],
        objects=Objects(
            boxes=np.array([box_of(mask) for mask in masks], dtype=np.float32).reshape(-1, 4),
            scores=np.linspace(0.9, max(0, 1 - 0.1 * count), count, dtype=np.float32),
            masks=tuple(map(Rle.encode, masks)),
            embeddings=draw.normal(size=(count, DIM)).astype(np.float32),
            regions=np.zeros(count, dtype=np.int64),
        ),
        regions=Regions(np.zeros((1, 1), dtype=np.int64), none, none[0, :1], none[0, :1]),
        saliency=none[:, :1],
        foreground=none[0],
        background=none[0],
    )


def box_of(mask: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def make_run(
    folder: Path, masks: Masks, size: tuple[int, int] = (60, 80), suffix: str = ".png"
) -> Path:
    """A run in `folder`/run of random photos in `folder`/photos, one for each key."""
    photos = folder / "photos"
    photos.mkdir()
    run = folder / "run"
    with RunStore.create_or_open(run, {}) as store:
        for number, key in enumerate(masks):
            source = photos / f"{number}{suffix}"
            pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(source)
            result = result_of(key, masks[key], size, number)
            digest = hashlib.sha256(source.read_bytes()).hexdigest()
            store.add([Finished(result, digest=digest, source=str(source))])
        note_folders(store, [str(photos / "any")])
    return run


def sort_into(
    run: Path,
    names: Mapping[int, str],
    members: Mapping[str, int],
    *,
    rejected: Iterable[int | str] = (),
) -> None:
    """Give a run categories: their names, the objects in them, and what a person has rejected."""
    vector = [1.0, *[0.0] * (DIM - 1)]
    refused = set(rejected)
    made_with = json.dumps({"last": max(names)})
    row = {"prototype": vector, "least": 0.0, "made_with": made_with}
    with Editor(run) as editor:
        editor.write_categories(
            [
                {"id": at, "name": name, "rejected": at in refused, **row}
                for at, name in names.items()
            ]
        )
        for name, category in members.items():
            editor.update_objects(f"id = '{name}'", {"category": category})
        for each in refused:
            if isinstance(each, str):
                editor.update_objects(f"id = '{each}'", {"rejected": True})


def with_source(run: Path, key: str, source: str, digest: str | None = None) -> None:
    """Say that an image was read somewhere else, or was another one."""
    with RunStore.create_or_open(run, {}) as store:
        (record,) = (each for each in store.records() if each.key == key)
        digest = record.digest if digest is None else digest
        store.add([replace(record, source=source, digest=digest)])

"""Errors that one image causes after it was decoded: it is listed with its stage, others go on.

The faults are put into the parts that the work goes through; the image is known by its red.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from heap.base.errors import ConfigError, ImageError
from heap.config import DiscoverConfig
from heap.discovery.command import discover
from heap.discovery.outcome import Discovery
from heap.encoder.base import Features
from heap.images import Limits, Picture, list_images
from heap.images.deep import Again
from heap.model.heap import Heap
from heap.store.matching import match
from heap.store.store import RunStore

BAD = "05b.png"
CONFIG = DiscoverConfig(chunk=7)


@pytest.fixture
def folder(photos: Path, tmp_path: Path) -> Path:
    """The photos, and one of the size of others, all red in its red."""
    folder = Path(shutil.copytree(photos, tmp_path / "photos"))
    with Image.open(photos / "05.png") as photo:
        pixels = np.array(photo)
    pixels[..., 0] = 255
    Image.fromarray(pixels).save(folder / BAD)
    return folder


@pytest.fixture
def fresh(model_folder: Path) -> Heap:
    """The model, loaded for this test: it may be spoiled."""
    return Heap.from_pretrained(model_folder, precision="fp32")


def is_bad(pixels: Tensor) -> Tensor:
    """Which images of a batch are the bad one, or are cut out of it."""
    return pixels[:, 0].flatten(1).amin(dim=1) > 0.99


def breaks_on_bad(
    work: Callable[..., Any], error: Exception, red: Callable[..., bool]
) -> Callable[..., Any]:
    def broken(*arguments: Any, **options: Any) -> Any:
        if red(*arguments):
            raise error
        return work(*arguments, **options)

    return broken


def assert_only_bad_failed(run: Discovery, stage: str, reason: str) -> None:
    assert (run.counts.failed, run.counts.done + run.counts.empty) == (1, 12)
    failures = (run.folder / "failed.jsonl").read_text().splitlines()
    (failure,) = map(json.loads, failures)
    assert (failure["path"], failure["stage"]) == (BAD, stage)
    assert reason in failure["reason"]


@pytest.mark.fault("F20")
def test_f20_a_decoder_that_hangs(
    heap: Heap, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding = sys.modules["heap.images.decode"]
    right, end = decoding.to_rgb, Event()

    def hang(image: Image.Image, again: Again) -> tuple[Image.Image, str | None]:
        rgb, note = right(image, again)
        while rgb.getextrema()[0] == (255, 255) and not end.wait(1):
            pass
        return rgb, note

    monkeypatch.setattr(decoding, "to_rgb", hang)
    run = discover(folder, tmp_path / "run", model=heap, config=CONFIG, timeout=5.0)
    assert_only_bad_failed(run, "decode", "it takes longer than 5 seconds; --timeout gives it more")
    end.set()


@pytest.mark.fault("F20")
def test_f20_a_source_that_hangs_while_it_is_compared(
    heap: Heap, folder: Path, tmp_path: Path
) -> None:
    (folder / BAD).unlink()
    run = discover(folder, tmp_path / "run", model=heap, config=CONFIG)
    (first, *others) = list_images(folder)
    (folder / first.key).touch()
    # Opened for both, a pipe waits for bytes that nobody writes, as a connection does.
    os.mkfifo(tmp_path / "silent")
    silent = replace(first, opener=lambda: (tmp_path / "silent").open("r+b", buffering=0))
    with RunStore.open(run.folder) as store, ThreadPoolExecutor() as pool:
        matched = match(
            [silent, *others], store.stored(), pool, lambda *_: None, Limits(seconds=0.2)
        )
    assert (matched.left, matched.changed, matched.gone) == (set(), [], [])


FULL = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")
"""As torch says it of the memory of the machine."""


@pytest.mark.fault("F41")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("no kernel image\nis available"), "RuntimeError: no kernel image is"),
        (torch.OutOfMemoryError("no more"), "out of memory with this image alone; a lower"),
        (FULL, "out of memory with this image alone; a lower"),
        (MemoryError(), "out of memory with this image alone; a lower"),
    ],
    ids=["other", "gpu", "cpu", "numpy"],
)
def test_an_error_in_the_encoder(
    error: Exception, reason: str, fresh: Heap, heap: Heap, folder: Path, tmp_path: Path
) -> None:
    def refuse(_: nn.Module, arguments: tuple[Any, ...]) -> None:
        if is_bad(arguments[0]).any():
            raise error

    fresh.encoder.register_forward_pre_hook(refuse)
    run = discover(folder, tmp_path / "run", model=fresh, config=CONFIG)
    assert_only_bad_failed(run, "encode", reason)
    (folder / BAD).unlink()
    whole = discover(folder, tmp_path / "whole", model=heap, config=CONFIG)
    for ours, theirs in zip(run.results(), whole.results(), strict=True):
        assert (ours.key, len(ours.objects)) == (theirs.key, len(theirs.objects))
        np.testing.assert_allclose(ours.saliency, theirs.saliency, atol=1e-5)


@pytest.mark.fault("F41")
@pytest.mark.parametrize("error", [FULL, torch.OutOfMemoryError("no more")], ids=["cpu", "gpu"])
def test_f41_too_little_memory_for_the_crops_of_objects(
    error: Exception, fresh: Heap, heap: Heap, photos: Path, tmp_path: Path
) -> None:
    config, seen = replace(CONFIG, proposals=2, batch=64), []
    right = fresh.encoder.embed

    def embed(pixels: Tensor) -> Tensor:
        seen.append(len(pixels))
        if len(pixels) > 2:
            raise error
        return right(pixels)

    fresh.encoder.embed = embed  # type: ignore[method-assign]
    run = discover(photos, tmp_path / "run", model=fresh, config=config)
    whole = discover(photos, tmp_path / "whole", model=heap, config=config)
    assert max(seen) > 2
    assert run.counts == whole.counts
    assert run.counts.failed == 0
    for ours, theirs in zip(run.results(), whole.results(), strict=True):
        assert ours.to_coco() == theirs.to_coco()
        np.testing.assert_allclose(
            ours.objects.embeddings, theirs.objects.embeddings, rtol=0, atol=1e-4
        )


def test_features_that_are_not_finite(fresh: Heap, folder: Path, tmp_path: Path) -> None:
    def spoil(_: nn.Module, arguments: tuple[Any, ...], features: Features) -> Features:
        wrong = torch.where(is_bad(arguments[0]), torch.nan, 0.0)[:, None, None]
        return replace(features, patches=features.patches + wrong)

    fresh.encoder.register_forward_hook(spoil)
    run = discover(folder, tmp_path / "run", model=fresh, config=CONFIG)
    assert_only_bad_failed(run, "encode", "features are not finite; --precision fp32 may help")
    with pytest.raises(ImageError, match=BAD):
        fresh([_picture(folder / BAD)])


def _picture(path: Path) -> Picture:
    from heap.images import Source, decode

    return decode(Source(path.name, str(path)))


@pytest.mark.parametrize("place", ["find_objects", "draw_overlay"])
def test_an_error_in_making_or_drawing_objects(
    place: str, heap: Heap, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules[
        "heap.model.heap" if place == "find_objects" else "heap.discovery.pictures"
    ]
    broken = breaks_on_bad(
        getattr(module, place),
        MemoryError(),
        lambda *arguments: any(
            isinstance(a, np.ndarray) and a.ndim == 3 and (a[..., 0] == 255).all()
            for a in arguments
        ),
    )
    monkeypatch.setattr(module, place, broken)
    run = discover(folder, tmp_path / "run", model=heap, config=CONFIG)
    stage = "objects" if place == "find_objects" else "draw"
    assert_only_bad_failed(run, stage, "out of memory with this image alone")


def test_an_error_in_comparing_its_objects(fresh: Heap, folder: Path, tmp_path: Path) -> None:
    # With proposals there is an object in each.
    config = replace(CONFIG, proposals=2, batch=64)
    right = fresh.encoder.embed

    def embed(pixels: Tensor) -> Tensor:
        vectors: Tensor = right(pixels)
        return vectors + torch.where(is_bad(pixels), torch.nan, 0.0)[:, None]

    fresh.encoder.embed = embed  # type: ignore[method-assign]
    run = discover(folder, tmp_path / "run", model=fresh, config=config)
    assert_only_bad_failed(run, "embed", "embeddings of its objects are not finite")


def test_what_is_wrong_with_every_image_ends_the_run(
    fresh: Heap, folder: Path, tmp_path: Path
) -> None:
    def refuse(_: nn.Module, arguments: tuple[Any, ...]) -> None:
        raise ConfigError("no such layer")

    fresh.encoder.register_forward_pre_hook(refuse)
    with pytest.raises(ConfigError, match="no such layer"):
        discover(folder, tmp_path / "run", model=fresh, config=CONFIG)

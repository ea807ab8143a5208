"""Costs of `heap fit`: seconds and memory of whole commands, and what the head adds to its encoder.

How good the heads are is what `peers` measures.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch

from benchmarks.common import DATA, RUNS, Data, images_in, run_heap
from benchmarks.report import Row, about_encoder, digest
from benchmarks.study import Measured, Study
from heap.features.describe import describe, geometry
from heap.images import Picture, decode, list_images
from heap.model.heap import Heap

CONFIGURATIONS: dict[str, tuple[str, ...]] = {"heap-alone": ("--prior", "none"), "heap-prior": ()}
"""Options by the names of the fits."""
REPEATS = 30
"""Repeats of each timing; the median is taken."""


def bench(
    *,
    data: Data = DATA,
    encoder: Path = Path("../shared/encoders/vit-tiny-supervised"),
    label: str = "supervised ViT-Ti",
    layer: int = 8,
    work: Path = RUNS / "bench_fit",
    seeds: int = 3,
    limit: int | None = None,
) -> Measured:
    """Fit with each configuration, the first time with the features.

    Args:
        data: Folder with `duts-tr/fit`.
        encoder: Folder of the encoder.
        label: What the figures have to be labelled with.
        layer: Block of the encoder.
        work: Folder of models and features; what is in it is deleted first.
        seeds: Fits with each configuration.
        limit: Fit on at most so many images.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    unlabelled = images_in(data / "duts-tr" / "fit", limit)
    listing = work / "images.txt"
    listing.write_text("".join(f"{image.resolve()}\n" for image in unlabelled))
    features = ("--encoder", str(encoder), "--layer", str(layer), "--resolution", "448", "--square")
    rows: list[Row] = []
    for seed in range(seeds):
        for name, options in CONFIGURATIONS.items():
            child = run_heap(
                *("fit", listing, "--out", work / f"{name}-{seed}", "--cache", work / "cache"),
                *("--seed", str(seed)),
                *features,
                *options,
            )
            about = {"model": f"{name}/{seed}", "with_features": not rows}
            rows.append(about | {"seconds": child.seconds, "peak_mb": child.peak_mb})
    heap = Heap.from_pretrained(work / f"{name}-{seed}")
    return Measured(
        data={"set": "duts-tr/fit", "images": len(unlabelled), "sha256": digest(unlabelled)},
        encoder={**about_encoder(heap), "label": label},
        rows=rows,
        figures={"cost": head_cost(heap, decode(next(iter(list_images(unlabelled[:1])))))},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Seconds of the fit that computes the features, and of the later ones."""
    first, later = ([row for row in rows if row["with_features"] is new] for new in (True, False))
    return {
        "first_fit_with_features_seconds": first[0]["seconds"],
        "later_fits_seconds": mean(row["seconds"] for row in later),
    }


def head_cost(heap: Heap, picture: Picture) -> dict[str, Any]:
    """Weights of the head and of the encoder, and milliseconds that each takes for one image."""
    config = heap.config.features
    resized = geometry(picture, heap.encoder, config).resize(picture.pixels)
    pixels = torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255
    features = describe(heap.encoder, [picture], config)[0]
    return {
        "head_parameters": _weights(heap.head),
        "encoder_parameters": _weights(heap.encoder),
        "head_ms": _milliseconds(lambda: heap.group(features)),
        "encoder_ms": _milliseconds(lambda: heap.encoder(pixels, config.layer, config.facet)),
        "threads": torch.get_num_threads(),
    }


def _weights(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _milliseconds(work: Callable[[], object]) -> float:
    work()  # the first call makes what later ones use again
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds)


STUDY = Study("fit-v1", bench, summarise)

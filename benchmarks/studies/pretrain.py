"""Effect of pretraining the embedded encoder: against the same architecture untrained.

Both are fitted in the same way with as many seeds, by the embedded recipe with the colour prior,
and once joined to hand-made cues, which help an untrained encoder most. Scored on the tune photos.
Beside them: the model as shipped, its size, and its throughput against a ViT-S/16.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import ViTConfig, ViTModel

from benchmarks.common import DATA, RUNS, Data, digest_of
from benchmarks.heads import recipe_of, score_head, write_encoder
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.scoring import difference, means, rows_of
from benchmarks.study import Measured, Study
from heap.benchmark.datasets import open_dataset
from heap.config import Cue
from heap.encoder.load import load_encoder
from heap.encoder.registry import packaged_encoder, packaged_head
from heap.model.heap import Heap

SHIPPED = "embedded-small"
SIDE = 224
REPEATS = 15
CUES: tuple[Cue, ...] = ("colour", "boundary", "position")


def bench(
    *,
    data: Data = DATA,
    work: Path = RUNS / "bench_pretrain",
    limit: int | None = None,
    seeds: int = 3,
) -> Measured:
    """Score the embedded encoder and its untrained twin on `duts-tr/tune`.

    Args:
        data: Folder with `duts-tr/tune` and `duts-tr/fit`.
        work: Folder for models and features; what is there already is used.
        limit: Score, and fit on, at most so many images.
        seeds: Fits of each encoder; each untrained one has weights of its own.
    """
    tune = f"folder:{data / 'duts-tr' / 'tune'}"
    shipped = Heap.from_pretrained(SHIPPED)
    features, recipe = shipped.config.features, recipe_of(shipped.config)
    # By colour alone: an untrained encoder has no idea of foreground.
    recipe["losses"] = recipe["losses"] | {"prior": "boundary"}
    if limit is not None:
        recipe["fit"] = recipe["fit"] | {"images": limit}
    work /= digest_of([shipped.fingerprint, asdict(shipped.config), limit])
    scores = {"shipped": score_head(work / "shipped.json.gz", features, tune, limit=limit)}
    for seed in range(seeds):
        random = work / f"random-{seed}"
        write_encoder(random, seed)
        for name, encoder in (("pretrained", SHIPPED), ("random", str(random))):
            for joined, cues in {"": (), "-cues": CUES}.items():
                if not (cues and seed):
                    scores[f"{name}{joined}/{seed}"] = score_head(
                        work / f"{name}{joined}-{seed}.json.gz",
                        replace(features, encoder=encoder, cues=cues),
                        tune,
                        settings={"heap": recipe},
                        seeds=[seed],
                        fit=[str(data / "duts-tr" / "fit")],
                        model=work / f"{name}{joined}-{seed}-model",
                        limit=limit,
                    )
    used = open_dataset(tune, limit).examples
    return Measured(
        data=about_data("duts-tr/tune", [example.image for example in used]),
        encoder=about_encoder(shipped),
        rows=rows_of(scores),
        figures={"shipped_megabytes": shipped_megabytes(), "throughput": throughput(work)},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Means, and how far pretraining is ahead of random weights."""
    pairs = {
        "same_fit": ("pretrained", "random"),
        "same_fit_with_cues": ("pretrained-cues", "random-cues"),
        "shipped_against_random_with_cues": ("shipped", "random-cues"),
    }
    ahead = {
        name: {field: difference(rows, *pair, field) for field in ("iou", "corloc")}
        for name, pair in pairs.items()
    }
    return {"images": len(rows), "methods": means(rows), "ahead_of_random": ahead}


def shipped_megabytes() -> float:
    """Size of the files of encoder and head, in 10^6 bytes."""
    folders = (packaged_encoder(SHIPPED), packaged_head(SHIPPED))
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files) / 1e6


def throughput(work: Path) -> dict[str, float]:
    """Images a second at 224² of the embedded encoder and of a ViT-S/16, in turns."""
    folder = work / "vit-s16"
    config = ViTConfig(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, intermediate_size=1536
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    batch = torch.rand(8, 3, SIDE, SIDE)
    facets = {"embedded": "token", "vit_s16": "key"}
    encoders = {"embedded": load_encoder(SHIPPED), "vit_s16": load_encoder(str(folder))}
    seconds: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(REPEATS + 1):
        for name, encoder in encoders.items():
            seconds[name].append(_timed(partial(encoder, batch, -1, facets[name])))
    rates = {name: len(batch) / median(times[1:]) for name, times in seconds.items()}
    return {
        **{f"{name}_images_per_second": rate for name, rate in rates.items()},
        "ratio": rates["embedded"] / rates["vit_s16"],
    }


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


STUDY = Study("saliency-grid-v1", bench, summarise)

"""Does one task, in JSON as its argument, until tests kill it; see `killing.py`.

It says `pid N`, then `STAGE DONE TOTAL` as it goes on.
"""

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import heap.benchmark.run.evaluate
import heap.encoder.vit
import heap.model.heap
from heap.config import Cue, DiscoverConfig, FeatureConfig, FitConfig, HeadConfig, LossConfig, Prior

CHUNK, CHECKPOINT, LESSONS = 2, 4, 40


def say(stage: str, done: int, total: int | None) -> None:
    sys.stdout.write(f"{stage} {done} {total}\n")
    sys.stdout.flush()


def discover(photos: str, model: str, out: str) -> None:
    from heap.discovery.command import discover

    found = heap.model.heap.Heap.from_pretrained(model, precision="fp32")
    config = DiscoverConfig(chunk=CHUNK, save=("overlays", "masks"))
    discover(photos, out, model=found, config=config, on_progress=say)


def fit(photos: str, encoder: str, out: str, cache: str, prior: Prior = "boundary") -> None:
    from heap.fitting import priors
    from heap.fitting.command import fit
    from heap.methods import found

    # A few steps of a few images teach the layer, and it is taught by features without cues: with
    # those of colour a head without a prior takes everything for foreground.
    vars(priors)["FoundRecipe"] = partial(found.FoundRecipe, steps=LESSONS)
    vars(found)["BATCH"] = 6
    cues: tuple[Cue, ...] = ("colour", "boundary") if prior == "boundary" else ()
    fit(
        photos,
        out,
        features=FeatureConfig(encoder=encoder, resolution=64, cues=cues),
        head=HeadConfig(groups=4, blocks=1, heads=2, width=16),
        losses=LossConfig(prior=prior),
        config=FitConfig(steps=18, batch=5, learning_rate=1e-2, checkpoint_every=CHECKPOINT),
        precision="fp32",
        cache=Path(cache),
        on_progress=say,
    )


def evaluate(data: str, methods: list[str], encoder: str, out: str, cache: str) -> None:
    from heap.benchmark.datasets import open_dataset
    from heap.benchmark.protocols import PROTOCOLS
    from heap.benchmark.run.bench import Bench, Entry
    from heap.benchmark.run.methods import METHODS

    features = FeatureConfig(encoder=encoder, resolution=64)
    photos = [str(Path(data) / "images")]
    bench = Bench(features, photos=photos, cache=Path(cache), precision="fp32")
    names = ("saliency-found-v1", "saliency-sod-v1", "corloc-found-v1", "ap-box-v1")
    protocols = [PROTOCOLS[name] for name in names]
    settings: dict[str, dict[str, Any]] = {
        "found": {"steps": 6},
        "heap": {
            "head": {"groups": 4, "blocks": 1, "heads": 2, "width": 16},
            "losses": {"prior": "boundary"},
            "fit": {"steps": 12, "batch": 6, "learning_rate": 2e-2, "checkpoint_every": CHECKPOINT},
        },
    }
    entries = [
        Entry(METHODS[name], Path(out) / f"{name}.json.gz", settings.get(name, {}),
              model=Path(out) / f"{name}-model")
        for name in methods
    ]  # fmt: skip
    task = heap.benchmark.run.evaluate.Task(protocols, open_dataset(f"folder:{data}"))
    heap.benchmark.run.evaluate.score_methods(task, bench, entries, on_progress=say)


def main() -> int:
    sys.stdout.write(f"pid {os.getpid()}\n")
    sys.stdout.flush()
    work: dict[str, Callable[..., None]] = {
        "discover": discover, "fit": fit, "evaluate": evaluate,
    }  # fmt: skip
    task = json.loads(sys.argv[1])
    try:
        work[task.pop("do")](**task)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

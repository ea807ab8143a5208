"""`heap fit` on unlabelled images, HEAP alone and with a prior, and how good the models are.

Beside them on the same features: the trained FOUND layer and its seed alone, the regions chosen by
the ground truth, and what the head costs.
"""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.common import DATA, RUNS, Data, digest_of, images_in, once, run_heap
from benchmarks.evaluating import Judge, Method, by_found, by_head, features_of, head_cost
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.scoring import difference, means, rows_of
from benchmarks.study import Measured, Study
from heap.benchmark.datasets import open_dataset
from heap.methods.found import FoundRecipe, FoundSeed
from heap.model.heap import Heap

CONFIGURATIONS = ("heap-alone", "heap-prior")
SEEDS = (0, 1, 2)
SETTINGS = Path(__file__).parent / "settings"


def bench(
    *,
    data: Data = DATA,
    encoder: Path = Path("../shared/encoders/vit-tiny-supervised"),
    label: str = "supervised ViT-Ti",
    layer: int = 8,
    work: Path = RUNS / "bench_fit",
    limit: int | None = None,
) -> Measured:
    """Fit each configuration with three seeds, and score the models on the saliency set.

    Args:
        data: Folder with `duts-tr/fit` and `ecssd500`.
        encoder: Folder of the encoder.
        label: What the figures have to be labelled with.
        layer: Block of the encoder.
        work: Folder for models, features and what is done so far; what is there is not done again.
        limit: Fit and score on at most so many images.
    """
    used = open_dataset(f"folder:{data / 'ecssd500'}", limit).examples
    unlabelled = images_in(data / "duts-tr" / "fit", limit)
    fits = [
        fit(configuration, seed, (encoder, layer), unlabelled, work)
        for seed in SEEDS
        for configuration in CONFIGURATIONS
    ]
    heaps = {fitted["model"]: Heap.from_pretrained(fitted["folder"]) for fitted in fits}
    first = next(iter(heaps.values()))
    judge = Judge(used, features_of(first, [example.image for example in used], work))
    models = {fitted["model"]: fitted["folder"] for fitted in fits}
    scores = {}
    for name, method in methods(heaps, unlabelled, work):
        origin = models.get(name, first.encoder.fingerprint)
        made_by = digest_of([name, origin, [example.key for example in used]])
        scores[name] = once(work / "scores" / f"{made_by}.json", partial(judge, method))
    return Measured(
        data={
            **about_data("ecssd500", [example.image for example in used]),
            "fitted_on": len(unlabelled),
        },
        encoder={**about_encoder(first), "label": label},
        rows=rows_of(scores),
        figures={
            "first_fit_with_features_seconds": fits[0]["seconds"],
            "later_fits_seconds": mean(fitted["seconds"] for fitted in fits[1:]),
            "fits": [{key: fitted[key] for key in fitted if key != "folder"} for fitted in fits],
            "settings": {name: json.loads(_settings(name).read_text()) for name in CONFIGURATIONS},
            "cost": head_cost(first, used[0].picture()),
        },
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Means and deviations over the seeds, and how far HEAP with the prior is ahead."""
    ahead = {
        other: {field: difference(rows, "heap-prior", other, field) for field in ("iou", "corloc")}
        for other in ("heap-alone", "found", "found-seed")
    }
    return {"images": len(rows), "methods": means(rows), "heap_prior_ahead_of": ahead}


def fit(
    configuration: str, seed: int, source: tuple[Path, int], images: list[Path], work: Path
) -> dict[str, Any]:
    """Run `heap fit` in a process of its own; the first one computes the features as well."""
    encoder, layer = source
    name, settings = f"{configuration}/{seed}", _settings(configuration)
    listing, cache = work / "images.txt", work / "cache"
    made_by = digest_of([name, settings.read_text(), str(encoder), layer, list(map(str, images))])
    folder, notes = work / f"{configuration}-{seed}-{made_by}", work / "fits"

    def measure() -> dict[str, Any]:
        # What an interrupted fit has left behind would make the time of this one too short.
        shutil.rmtree(folder, ignore_errors=True)
        if not notes.is_dir():
            shutil.rmtree(cache, ignore_errors=True)
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("".join(f"{image.resolve()}\n" for image in images))
        features = ("--encoder", encoder, "--layer", str(layer), "--resolution", "448", "--square")
        options = ("--seed", str(seed), "--settings", settings, "--cache", cache)
        child = run_heap("fit", listing, "--out", folder, *features, *options)
        return {
            "model": name,
            "folder": str(folder),
            "seconds": child.seconds,
            "peak_rss_mb": child.peak_mb,
        }

    summary: dict[str, Any] = once(notes / f"{made_by}.json", measure)
    return summary


def methods(
    heaps: dict[str, Heap], unlabelled: list[Path], work: Path
) -> Iterator[tuple[str, Method]]:
    """Methods of all models, and FOUND taught on the same features."""
    for name, heap in heaps.items():
        yield name, by_head(heap)
    collected = features_of(next(iter(heaps.values())), unlabelled, work)
    for seed in SEEDS:
        yield f"found/{seed}", by_found(FoundRecipe().fit(collected, seed=seed))
    yield "found-seed", by_found(FoundSeed())


def _settings(configuration: str) -> Path:
    return SETTINGS / f"{configuration}.json"


STUDY = Study("saliency-448-v1", bench, summarise)

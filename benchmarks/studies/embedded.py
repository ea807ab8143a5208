"""The small model of the package on the saliency set: what `heap discover` finds, and how fast.

Beside it on the same images: the centre box, the colour prior alone, and the same architecture with
random weights that was fitted in the same way.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common import DATA, RUNS, Data, digest_of, images_in, once, run_heap
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.scoring import difference, means, pack, read, score_centre, score_saliency
from benchmarks.study import Measured, Study
from benchmarks.untrained import untrained_model
from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.benchmark.metrics.boxes import corloc_hit, mask_boxes
from heap.benchmark.truth import Example
from heap.features.colour_prior import BoundaryPrior, smoothed_prior
from heap.model.heap import Heap
from heap.results import ImageResult
from heap.store.store import RunStore

FIRST_OBJECTS = 10
PRIOR_GRID = (28, 28)
PRIOR_THRESHOLD = 0.3


def bench(
    *,
    data: Data = DATA,
    work: Path = RUNS / "bench_embedded",
    limit: int | None = None,
    seed: int = 0,
) -> Measured:
    """Score the small model and what it has to beat.

    Args:
        data: Folder with `ecssd500` and `duts-tr/fit`.
        work: Folder for runs and models; what is there already is used.
        limit: Score, and fit the random weights on, at most so many images.
        seed: Seed of the random weights.
    """
    used = open_dataset(f"folder:{data / 'ecssd500'}", limit).examples
    heap = Heap.from_pretrained("embedded-small")
    work /= digest_of([heap.fingerprint, asdict(heap.config), limit, seed])
    unlabelled = data / "duts-tr" / "fit"
    images_in(unlabelled)
    random = untrained_model(heap.config, unlabelled, work, seed, limit)
    runs = {
        name: discover(name, model, data / "ecssd500", work, len(used))
        for name, model in (("embedded", "embedded-small"), ("random", str(random)))
    }
    results = (RunStore.open(work / name).results() for name in runs)
    rows = [
        score(example, dict(zip(runs, findings, strict=True)))
        for example, *findings in zip(used, *results, strict=True)
    ]
    return Measured(
        data=about_data("ecssd500", [example.image for example in used]),
        encoder=about_encoder(heap),
        rows=rows,
        figures={"discover": runs["embedded"]},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Means of each method, and how far the embedded model is ahead of the others."""
    return summary_beside(rows, "random")


def summary_beside(rows: list[Row], second: str) -> dict[str, Any]:
    """The summary where a model called `second` is scored beside the one called embedded."""
    ahead = {
        other: {field: difference(rows, "embedded", other, field) for field in ("iou", "corloc")}
        for other in ("centre", "boundary", "smoothed", second)
    }
    return {"images": len(rows), "methods": means(rows), "embedded_ahead_of": ahead}


def discover(name: str, model: str, folder: Path, work: Path, count: int) -> dict[str, Any]:
    """Run `heap discover` in a process of its own; its counts, time and memory."""

    def measure() -> dict[str, Any]:
        # The rest of an interrupted run would make the time of this one too short.
        shutil.rmtree(work / name, ignore_errors=True)
        arguments = ("--out", work / name, "--model", model, "--limit", str(count), "--json")
        child = run_heap("discover", folder / "images", *arguments)
        counts = json.loads(child.output)
        del counts["run"]
        return {**counts, "seconds": child.seconds, "peak_rss_mb": child.peak_mb}

    summary: dict[str, Any] = once(work / f"{name}.json", measure)
    if summary["done"] + summary["empty"] != count:
        failed = work / name / "failed.jsonl"
        raise InputError(f"not all of the {count} images could be used: see {failed}")
    return summary


def score(example: Example, results: dict[str, ImageResult]) -> Row:
    """Score every method on one image; `results` are those of the models, by their names."""
    assert all(result.key == example.key for result in results.values())
    picture, truth = read(example)
    boxes = mask_boxes(truth)
    prior = BoundaryPrior()(picture.pixels, PRIOR_GRID)
    scores = {
        name: score_saliency(result.saliency, picture, truth)
        | {
            "corloc_any": any(
                corloc_hit(box, boxes) for box in result.objects.boxes[:FIRST_OBJECTS]
            )
        }
        for name, result in results.items()
    }
    scores["boundary"] = score_saliency(prior, picture, truth, PRIOR_THRESHOLD)
    smoothed = smoothed_prior(picture.pixels, PRIOR_GRID)
    scores["smoothed"] = score_saliency(smoothed, picture, truth)
    scores["centre"] = score_centre(truth)
    return pack(example.key, scores)


STUDY = Study("saliency-discover-v1", bench, summarise)

"""The models of the package on the saliency set: what `heap discover` finds there, and how fast.

Beside them on the same images: the centre box and the colour prior alone.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common import DATA, RUNS, Data, digest_of, main, once, run_heap
from benchmarks.report import RESULTS, Row, about_data, about_encoder, write_report
from benchmarks.scoring import difference, means, pack, read, score_centre, score_saliency
from heap.collection.store import RunStore
from heap.encoder.registry import PACKAGED
from heap.errors import InputError
from heap.evaluation.datasets import open_dataset
from heap.evaluation.metrics.boxes import corloc_hit, mask_boxes
from heap.evaluation.truth import Example
from heap.model.heap import Heap
from heap.peers.boundary import BoundaryPrior, smoothed_prior
from heap.results import ImageResult

NAME = "bench_package"
FIRST_OBJECTS = 10
PRIOR_GRID = (28, 28)
PRIOR_THRESHOLD = 0.3


def bench(
    *,
    data: Data = DATA,
    out: Path = RESULTS / f"{NAME}.json",
    work: Path = RUNS / NAME,
    limit: int | None = None,
) -> None:
    """Score the models of the package and what they have to beat.

    Args:
        data: Folder with `ecssd500`.
        out: The result.
        work: Folder for runs; what is there already is used.
        limit: Score at most so many images.
    """
    used = open_dataset(f"folder:{data / 'ecssd500'}", limit).examples
    models = {name: Heap.from_pretrained(name) for name in PACKAGED}
    heap = models["embedded"]
    settings = [[each.fingerprint, asdict(each.config)] for each in models.values()]
    work /= digest_of([settings, limit])
    runs = {name: discover(name, data / "ecssd500", work, len(used)) for name in PACKAGED}
    results = (RunStore.open(work / name).results() for name in runs)
    rows = [score(*each) for each in zip(used, *results, strict=True)]
    write_report(
        NAME,
        out,
        protocol="saliency-discover-v1",
        data=about_data("ecssd500", [example.image for example in used]),
        encoder=about_encoder(heap),
        rows=rows,
        summarise=summarise,
        discover=runs,
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Means of each method, and how far the embedded model is ahead of the others."""
    ahead = {
        other: {field: difference(rows, "embedded", other, field) for field in ("iou", "corloc")}
        for other in ("centre", "boundary", "smoothed", "embedded-small")
    }
    return {"images": len(rows), "methods": means(rows), "embedded_ahead_of": ahead}


def discover(name: str, folder: Path, work: Path, count: int) -> dict[str, Any]:
    """Run `heap discover` in a process of its own; its counts, time and memory."""

    def measure() -> dict[str, Any]:
        # The rest of an interrupted run would make the time of this one too short.
        shutil.rmtree(work / name, ignore_errors=True)
        arguments = ("--out", work / name, "--model", name, "--limit", str(count), "--json")
        child = run_heap("discover", folder / "images", *arguments)
        counts = json.loads(child.output)
        del counts["run"]
        return {**counts, "seconds": child.seconds, "peak_rss_mb": child.peak_mb}

    found: dict[str, Any] = once(work / f"{name}.json", measure)
    if found["done"] + found["empty"] != count:
        failed = work / name / "failed.jsonl"
        raise InputError(f"not all of the {count} images could be used: see {failed}")
    return found


def score(example: Example, embedded: ImageResult, small: ImageResult) -> Row:
    """Score every method on one image."""
    assert embedded.key == small.key == example.key
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
        for name, result in zip(PACKAGED, (embedded, small), strict=True)
    }
    scores["boundary"] = score_saliency(prior, picture, truth, PRIOR_THRESHOLD)
    smoothed = smoothed_prior(picture.pixels, PRIOR_GRID)
    scores["smoothed"] = score_saliency(smoothed, picture, truth)
    scores["centre"] = score_centre(truth)
    return pack(example.key, scores)


if __name__ == "__main__":
    main(bench)

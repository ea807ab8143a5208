"""The models of the package on the saliency set: what `heap discover` finds there, and how fast.

Beside them on the same images: the centre box and the colour prior alone. Then, for search and
categories: objects of VOC, cut out by their true boxes, whose most similar object in another image
is of the same class. And background crops of three data sets, in which nothing is to be found.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common import DATA, RUNS, Data, digest_of
from benchmarks.empty_images import REPORT, build
from benchmarks.neighbours import neighbours, of_images, summarise_boxes
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.runs import discover
from benchmarks.scoring import difference, means, pack, read, score_centre, score_saliency
from benchmarks.study import Measured, Study
from heap.benchmark.datasets import open_dataset
from heap.benchmark.metrics.boxes import any_hits, mask_boxes
from heap.benchmark.truth import Example
from heap.encoder.registry import PACKAGED
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
    work: Path = RUNS / "bench_package",
    images: Path = RUNS / "empty_images",
    limit: int | None = None,
) -> Measured:
    """Score the models of the package and what they have to beat.

    Args:
        data: Folder with `duts-tr`, `ecssd500` and `voc12-animals`.
        work: Folder for runs; what is there already is used.
        images: Folder of the pictures without an object, that of `abstention`.
        limit: Score at most so many images.
    """
    used = open_dataset(f"folder:{data / 'ecssd500'}", limit).examples
    models = {name: Heap.from_pretrained(name) for name in PACKAGED}
    build(data, images)
    settings = [[model.fingerprint, asdict(model.config)] for model in models.values()]
    work /= digest_of([settings, limit])
    runs = {name: discover(name, name, data / "ecssd500", work, len(used)) for name in PACKAGED}
    results = (RunStore.open(work / name).results() for name in runs)
    rows = [
        score(example, dict(zip(runs, findings, strict=True)))
        for example, *findings in zip(used, *results, strict=True)
    ]
    return Measured(
        data=about_data("ecssd500", [example.image for example in used]),
        encoder=about_encoder(models["embedded"]),
        rows=rows + neighbours(models, data) + alarms(models, images / REPORT, limit),
        figures={"discover": runs},
    )


def alarms(models: Mapping[str, Heap], images: Path, limit: int | None) -> list[Row]:
    """For every picture without an object, which of the models find one."""
    return [
        {"empty": example.key}
        | {"alarms": {name: len(heap(picture).objects) > 0 for name, heap in models.items()}}
        for example in open_dataset(f"empty:{images}", limit).examples
        for picture in [example.picture()]
    ]


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Means of each method, and how far the models are ahead of the others."""
    scored = of_images(rows)
    others = [name for name in scored[0] if name != "image"]
    ahead = {
        ours: {
            theirs: {field: difference(scored, ours, theirs, field) for field in ("iou", "corloc")}
            for theirs in others
            if theirs != ours
        }
        for ours in PACKAGED
    }
    alarmed = [row["alarms"] for row in rows if "empty" in row]
    return {
        "images": len(scored),
        "methods": means(scored),
        "ahead_of": ahead,
        **summarise_boxes(rows),
        "empty": len(alarmed),
        "alarms": {name: sum(row[name] for row in alarmed) / len(alarmed) for name in PACKAGED},
    }


def score(example: Example, results: dict[str, ImageResult]) -> Row:
    """Score every method on one image; `results` are those of the models, by their names."""
    assert all(result.key == example.key for result in results.values())
    picture, truth = read(example)
    boxes = mask_boxes(truth)
    prior = BoundaryPrior()(picture.pixels, PRIOR_GRID)
    scores = {
        name: score_saliency(result.saliency, picture, truth)
        | {"corloc_any": any_hits(result.objects.boxes[:FIRST_OBJECTS], boxes)}
        for name, result in results.items()
    }
    scores["boundary"] = score_saliency(prior, picture, truth, PRIOR_THRESHOLD)
    smoothed = smoothed_prior(picture.pixels, PRIOR_GRID)
    scores["smoothed"] = score_saliency(smoothed, picture, truth)
    scores["centre"] = score_centre(truth)
    return pack(example.key, scores)


STUDY = Study("saliency-discover-v1", bench, summarise)

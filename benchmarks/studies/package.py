"""The models of the package on the saliency set: what `heap discover` finds there, and how fast.

Beside them on the same images: the centre box and the colour prior alone.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common import DATA, RUNS, Data, digest_of
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.studies.embedded import discover, score, summary_beside
from benchmarks.study import Measured, Study
from heap.benchmark.datasets import open_dataset
from heap.encoder.registry import PACKAGED
from heap.model.heap import Heap
from heap.store.store import RunStore


def bench(
    *,
    data: Data = DATA,
    work: Path = RUNS / "bench_package",
    limit: int | None = None,
) -> Measured:
    """Score the models of the package and what they have to beat.

    Args:
        data: Folder with `ecssd500`.
        work: Folder for runs; what is there already is used.
        limit: Score at most so many images.
    """
    used = open_dataset(f"folder:{data / 'ecssd500'}", limit).examples
    models = {name: Heap.from_pretrained(name) for name in PACKAGED}
    heap = models["embedded"]
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
        encoder=about_encoder(heap),
        rows=rows,
        figures={"discover": runs},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Means of each method, and how far the first model is ahead of the others."""
    return summary_beside(rows, "embedded-small")


STUDY = Study("saliency-discover-v1", bench, summarise)

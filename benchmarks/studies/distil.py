"""A quicker encoder taught by a strong one on 1,500 photos: what it gains, and what it costs.

The student begins as the first blocks of its teacher, by one line of docs/pretraining.md, and gets
a head by HEAP's three losses. It stands between its teacher and the small encoder of the package:
by what `heap discover` finds on the saliency set (`saliency-discover-v1`); by objects of VOC, cut
out by their true boxes, whose most similar object in another image is of the same class; and by the
processor time of the features of a photo.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import DATA, RESULTS, RUNS, Data, in_one_thread, one_thread, run_heap
from benchmarks.neighbours import neighbours, of_images, summarise_boxes
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.runs import discover
from benchmarks.scoring import difference, means, pack, read, score_saliency
from benchmarks.study import Measured, Study
from heap.benchmark.datasets import open_dataset
from heap.benchmark.truth import Example
from heap.features.describe import describe
from heap.model.heap import Heap
from heap.store.store import RunStore

TEACHER, SMALL, STUDENT = "embedded", "embedded-small", "student"
TIMED = 10
"""Photos whose features are timed."""


def bench(
    *,
    data: Data = DATA,
    package: Path = RESULTS / "bench_package.json",
    work: Path = RUNS / "bench_distil",
    blocks: int = 6,
    minutes: float = 42,
) -> Measured:
    """Teach, fit, discover and score.

    Args:
        data: Folder with `duts-tr/fit`, `ecssd500` and `voc12-animals`.
        package: Result of `package`: scores of the teacher and of the small encoder.
        work: Folder of the student, its model and its run; what is there already is used.
        blocks: Blocks of the teacher that the student begins as.
        minutes: Time of training, on one core.
    """
    used = open_dataset(f"folder:{data / 'ecssd500'}").examples
    about = about_data("ecssd500", [example.image for example in used])
    beside = json.loads(package.read_text(encoding="utf-8"))
    assert beside["data"] == about, "the result of bench_package is of other photos"
    model = teach(data, work, blocks, minutes)
    discovered = discover(STUDENT, str(model), data / "ecssd500", work, len(used))
    results = RunStore.open(work / STUDENT).results()
    rows = [
        {name: before[name] for name in ("image", TEACHER, SMALL, "centre")}
        | pack(example.key, {STUDENT: score_saliency(result.saliency, *read(example))})
        for example, before, result in zip(used, of_images(beside["rows"]), results, strict=True)
    ]
    heaps = {name: Heap.from_pretrained(name) for name in (TEACHER, SMALL)}
    heaps[STUDENT] = Heap.from_pretrained(model)
    return Measured(
        data=about,
        encoder=about_encoder(heaps[STUDENT]),
        rows=rows + neighbours(heaps, data),
        figures={
            "discover": discovered,
            "features_ms": {
                name: _milliseconds(heap, used[:TIMED]) for name, heap in heaps.items()
            },
        },
    )


def teach(data: Path, work: Path, blocks: int, minutes: float) -> Path:
    """Model on the student; what an interrupted call has left goes on."""
    photos, encoder, model = data / "duts-tr" / "fit", work / "encoder", work / "model"
    run_heap(
        "pretrain", photos, "--teacher", TEACHER, "--teacher-resolution", "448",
        "--teacher-blocks", str(blocks), "--batch", "16", "--minutes", str(minutes),
        "--steps", "20000", "--out", encoder, environment=one_thread(),
    )  # fmt: skip
    # By the three losses alone, as the head on the teacher in the package.
    run_heap("fit", photos, "--encoder", encoder, "--prior", "none", "--out", model)
    return model


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Means of each encoder, and how far the student is from the others."""
    scored = of_images(rows)
    return {
        "images": len(scored),
        "methods": means(scored),
        "student_ahead_of": {
            other: {
                field: difference(scored, STUDENT, other, field)
                for field in ("iou", "iou_refined", "corloc")
            }
            for other in (TEACHER, SMALL)
        },
    } | summarise_boxes(rows)


def _milliseconds(heap: Heap, examples: Sequence[Example]) -> float:
    """Median processor time of the features of a photo, on one thread."""
    seconds = []
    with in_one_thread():
        for example in [examples[0], *examples]:  # the first call makes what later ones use again
            picture = example.picture()
            began = time.process_time()
            describe(heap.encoder, [picture], heap.config.features)
            seconds.append(time.process_time() - began)
    return 1000 * median(seconds[1:])


STUDY = Study("saliency-discover-v1", bench, summarise)

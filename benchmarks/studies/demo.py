"""`heap discover` on the demo photos: is the main object of each photo found?"""

import json
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common import RUNS, run_heap
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.scoring import share
from benchmarks.study import Measured, Study
from heap.benchmark.metrics.boxes import HIT
from heap.benchmark.metrics.masks import mask_iou
from heap.model.heap import Heap
from heap.results import ImageResult
from heap.store.store import RunStore

DEMO = Path("demo")


def bench(*, model: str = "embedded", work: Path = RUNS / "bench_demo") -> Measured:
    """Compare the objects of the demo photos with the outlines drawn by hand.

    Args:
        model: "embedded", or a folder that `heap fit` has written.
        work: Folder of the run; what is in it is deleted first.
    """
    shutil.rmtree(work, ignore_errors=True)
    child = run_heap("discover", DEMO / "photos", "--out", work, "--model", model, "--json")
    listed = json.loads((DEMO / "photos.json").read_text(encoding="utf-8"))
    photos = {photo["file"]: photo for photo in listed}
    rows = [row(result, photos[result.key]) for result in RunStore.open(work).results()]
    return Measured(
        data=about_data("demo photos", [DEMO / "photos" / name for name in sorted(photos)]),
        encoder=about_encoder(Heap.from_pretrained(model)),
        rows=rows,
        figures={"seconds": child.seconds, "peak_rss_mb": child.peak_mb},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Share of the main objects that one object covers with an IoU of at least 0.5; their mean."""
    with_object = [{"found": row["iou"] >= HIT} for row in rows if row["main"] is not None]
    return {
        "main_object_found": share(with_object, "found"),
        "main_object_mean_iou": fmean(row["iou"] for row in rows if row["main"] is not None),
        "objects_where_there_is_none": sum(row["objects"] for row in rows if row["main"] is None),
    }


def row(result: ImageResult, photo: dict[str, Any]) -> Row:
    """The best IoU of a single object with the main object of the photo."""
    number = photo["main"]
    empty: Row = {"image": result.key, "main": None, "objects": len(result.objects), "iou": None}
    if number is None:
        return empty
    with Image.open(DEMO / "masks" / f"{Path(result.key).stem}.png") as mask:
        truth = np.asarray(mask) == number
    best = max((mask_iou(mask.decode(), truth) for mask in result.objects.masks), default=0.0)
    return empty | {"main": photo["objects"][number - 1], "iou": best}


STUDY = Study("demo-v1", bench, summarise)

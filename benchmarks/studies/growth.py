"""Runs of 500 to 10,000 photos: what does an image cost, what do ten more, and does memory grow?

Photos are hard links to those of ECSSD, in turns, so that they have native sizes. Every command is
a process of its own with one thread; its memory is what a user sees.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.browsing import measure_steps
from benchmarks.common import DATA, RUNS, Data, images_in, once, one_thread, run_heap
from benchmarks.links import link_photos
from benchmarks.report import Row, about_data, about_encoder, markdown, rows_by
from benchmarks.study import Measured, Report, Study
from heap.model.heap import Heap
from heap.store import schema
from heap.store.store import RunStore
from heap.view.gallery import GALLERY

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZES = (500, 2000, 10_000)
ADDED = 10
"""Photos that are added to a run that is finished."""
_LIMIT = 1.1
"""How many times the memory of the smallest run the largest may take for `heap discover`."""


def bench(
    *,
    data: Data = DATA,
    size: Sequence[int] = SIZES,
    model: str = "embedded-small",
    work: Path = RUNS / "bench_growth",
) -> Measured:
    """Do the whole job on runs of these sizes, the smallest first.

    Args:
        data: Folder with `ecssd500`.
        size: Numbers of photos.
        model: Name or folder of a model.
        work: Folder of links and runs. Steps that are done are not done again.
    """
    originals = images_in(data / "ecssd500" / "images")
    rows = [row for count in size for row in _rows(originals, count, model, work / str(count))]
    return Measured(
        data=about_data("links to ecssd500", originals),
        encoder=about_encoder(Heap.from_pretrained(model)),
        rows=rows,
        figures={"load": os.getloadavg()[0]},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Memory and processor time of each step, and what an image costs, by the number of photos.

    `ms_between` is the processor time of each further image from one size to the next.
    """
    by_step = {
        step: {str(row["images"]): row for row in of} for step, of in rows_by(rows, "step").items()
    }
    commands = {step: of for step, of in by_step.items() if step != "gallery"}
    discover = by_step["discover"]
    sizes = list(discover)
    return {
        "peak_mb": {step: _column(of, "peak_mb") for step, of in commands.items()},
        "cpu_seconds": {step: _column(of, "cpu_seconds") for step, of in commands.items()},
        "ms_between": {
            f"{few} to {many}": 1000
            * (discover[many]["cpu_seconds"] - discover[few]["cpu_seconds"])
            / (int(many) - int(few))
            for few, many in pairwise(sizes)
        },
        "bytes_per_image": {size: discover[size]["bytes"] / int(size) for size in sizes},
        "files": _column(discover, "files"),
        "gallery_first_paint_ms": _column(by_step["gallery"], "first_paint_ms"),
        "passed": discover[sizes[-1]]["peak_mb"] <= _LIMIT * discover[sizes[0]]["peak_mb"],
    }


def _column(by_size: dict[str, Row], field: str) -> dict[str, float]:
    return {size: row[field] for size, row in by_size.items()}


def _rows(originals: Sequence[Path], count: int, model: str, work: Path) -> list[Row]:
    """Rows of all steps of a run of `count` photos."""
    photos, run = link_photos(originals, count, work / "photos"), work / "run"

    def step(name: str, act: Callable[[], Row]) -> Row:
        row: Row = once(work / f"{name}.json", act)
        return {"step": name, "images": count} | row

    def heap(*arguments: str | Path) -> Row:
        row = asdict(run_heap(*arguments, environment=one_thread()))
        del row["output"]
        return row

    def discover() -> Row:
        took = heap("discover", photos, "--out", run, "--model", model)
        files = [path for path in run.rglob("*") if path.is_file()]
        held = sum(path.stat().st_size for path in files)
        return took | {"bytes": held, "files": len(files)}

    def more() -> Row:
        # Copies: one more link to a file changes its times, so that all others are compared again.
        for number, original in enumerate(originals[:ADDED]):
            shutil.copyfile(original, photos / f"more-{number}{original.suffix}")
        return heap("discover", photos, "--out", run, "--model", model)

    def search() -> Row:
        table = RunStore.open(run).table(schema.OBJECTS)
        object_id = table.search().select(["id"]).limit(1).to_list()[0]["id"]
        return heap("search", run, "--object", object_id)

    coco = work / "coco"
    return [
        step("discover", discover),
        step(f"{ADDED} more", more),
        step("categories", partial(heap, "categories", run, "--k", "20", "--again")),
        step("search", search),
        step("inspect", partial(heap, "inspect", run)),
        step("export", partial(heap, "export", run, "--format", "coco", "--out", coco)),
        step("gallery", partial(_opened, run / GALLERY)),
    ]


def _opened(page: Path) -> Row:
    """First paint and longest task of the page when it is opened from the disk."""

    def load(tab: "Page") -> None:
        tab.goto(f"{page.resolve().as_uri()}#/images")
        tab.wait_for_selector(".photo", state="attached")

    (opened,) = measure_steps(load, {}, 0)
    times = {name: opened[name] for name in ("first_paint_ms", "longest_ms")}
    return {"mb": page.stat().st_size / 1e6} | times


def table(report: Report) -> str:
    """A row for each step, with processor time and memory at each size."""
    rows = report["rows"]
    sizes = list(dict.fromkeys(row["images"] for row in rows))
    measured = {(row["step"], row["images"]): row for row in rows if "cpu_seconds" in row}
    lines = [
        [
            step,
            *(f"{measured[step, size]['cpu_seconds']:.1f}" for size in sizes),
            *(f"{measured[step, size]['peak_mb']:.0f}" for size in sizes),
        ]
        for step in dict.fromkeys(step for step, _ in measured)
    ]
    names = ["", *(f"s, {size} photos" for size in sizes), *(f"MB, {size}" for size in sizes)]
    return markdown(names, lines)


STUDY = Study("growth-v1", bench, summarise, table=table)

"""Processor time and memory of every method on the same encoder, and how they grow with the image.

Each method has a process of its own, whose memory is that of the encoder, too. Times are of one
photo, decoded, until there are masks at its size: of HEAP those of all objects, of the others one
of all foreground. FOUND's layer is not trained, which takes as long.
"""

import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import DATA, RUNS, Data, images_in, once, one_thread, run_child
from benchmarks.costing import METHODS, MODEL
from benchmarks.report import Row, about_data, about_encoder, markdown, rows_by
from benchmarks.study import Measured, Report, Study
from heap.model.heap import Heap

SIDES = (224, 448, 672, 1022)
"""Sides of the squares whose area images are brought to, in pixels; 14 divides them."""
USUAL = 448
DENSE = "tokencut, as published"
GOALS = {"found": 1.0, "found, solver": 5.0, DENSE: 10.0}
"""How many times as long as HEAP with refined masks they should take at the usual side."""


def bench(
    *,
    data: Data = DATA,
    method: Sequence[str] = tuple(METHODS),
    side: Sequence[int] = SIDES,
    photos: int = 5,
    work: Path = RUNS / "bench_cost",
) -> Measured:
    """Measure each method at each size, one thread.

    Args:
        data: Folder with `ecssd500`.
        method: Methods that are measured.
        side: Sides of the squares whose area images have for the encoder.
        photos: Photos that a time is the median of; above 448 pixels, the first two.
        work: Folder of what was measured; what is there is not measured again.
    """
    images = images_in(data / "ecssd500" / "images", photos)
    rows = [
        {"method": name, "side": pixels} | once(work / f"{name}-{pixels}.json", task)
        for pixels in side
        for name in method
        for task in [partial(_measure, name, pixels, images if pixels <= USUAL else images[:2])]
    ]
    return Measured(
        data=about_data("ecssd500", images),
        encoder=about_encoder(Heap.from_pretrained(MODEL)),
        rows=rows,
        figures={"load": os.getloadavg()[0]},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """At the usual side how long each takes with its encoder, in times of HEAP with refined masks.

    `growth` is how many times as long as at 224 pixels it takes at the largest side.
    """
    whole = {(row["method"], row["side"]): row["encoder_ms"] + row["ms"] for row in rows}
    ours = whole["heap, refined", USUAL]
    sides = sorted({side for _, side in whole})
    names = list(rows_by(rows, "method"))
    times = {name: whole[name, USUAL] / ours for name in names}
    return {
        "times_of_heap_refined": times,
        "growth": {name: whole[name, sides[-1]] / whole[name, sides[0]] for name in names},
        "peak_mb": {row["method"]: row["peak_mb"] for row in rows if row["side"] == USUAL},
        "passed": {name: times[name] >= goal for name, goal in GOALS.items() if name in times},
    }


def table(report: Report) -> str:
    """Milliseconds after the encoder and memory, a row for each method, a column for each side."""
    rows = report["rows"]
    sides = rows_by(rows, "side")
    encoder = [min(row["encoder_ms"] for row in of) for of in sides.values()]
    lines = [["the encoder itself", *(f"{ms:.0f}" for ms in encoder), *("" for _ in sides)]]
    for name, of in rows_by(rows, "method").items():
        lines.append(
            [name, *(f"{row['ms']:.0f}" for row in of), *(f"{row['peak_mb']:.0f}" for row in of)]
        )
    names = ["", *(f"ms at {side}²" for side in sides), *(f"MB at {side}²" for side in sides)]
    return markdown(names, lines)


def _measure(method: str, side: int, images: Sequence[Path]) -> Row:
    command = [sys.executable, "-m", "benchmarks.costing", method, str(side), *map(str, images)]
    done = run_child(f"{method} at {side} pixels", command, one_thread())
    took: Row = json.loads(done.output)
    return took | {"peak_mb": done.peak_mb}


STUDY = Study("cost-v1", bench, summarise, table=table)

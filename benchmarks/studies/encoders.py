"""Every published encoder at its full size, with random weights, through the whole of `heap`.

What can be shown of them without their weights: configuration, names of the weights, patch,
registers, positions and memory. That the features are good cannot be.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.architectures import PUBLISHED
from benchmarks.common import RUNS, images_in, once, run_heap
from benchmarks.report import Row, about_data, markdown, rows_by
from benchmarks.study import Measured, Study
from heap.encoder.registry import CARDS
from heap.store.store import RunStore

DEMO = Path("demo")
LARGE = (640, 480)
"""Width and height of the photos for patches of 8 pixels."""
NATIVE = ("--native", "--resolution", "560")
"""Leaves photos of that size as they are."""
MEMORY_MB = 2048
"""Limit for a photo of that size."""
SETTINGS = {
    "head": {"centred": True},
    "fit": {"steps": 30, "learning_rate": 3e-3},
    "losses": {"prior": "boundary", "prior_weight": 100.0},
}
"""Enough for a head that is not refused as constant: random features are much the same everywhere.
What FOUND takes for background in them can be all or nothing of a photo, so colour alone tells."""
FOUND = {"found": {"steps": 10}}
_FOLDER = "HEAP_WEIGHTS_DIR"


def bench(
    *,
    encoder: Sequence[str] = tuple(PUBLISHED),
    photos: int = 4,
    work: Path = RUNS / "bench_encoders",
) -> Measured:
    """Fit, discover, export and evaluate with each encoder on a few demo photos.

    Args:
        encoder: Short names, as `heap models` lists them.
        photos: Use so many of the demo photos, at least two.
        work: Folder for what is made on the way; encoders that are done are not done again.
    """
    used = images_in(DEMO / "photos", photos)
    write_sets(used, work)
    rows = [
        row
        for alias in encoder
        for row in once(work / f"{alias}-{photos}.json", partial(try_out, alias, work))
    ]
    configurations = json.dumps({alias: PUBLISHED[alias].config().to_dict() for alias in encoder})
    fingerprint = hashlib.sha256(configurations.encode()).hexdigest()[:16]
    return Measured(
        data=about_data("demo photos", used),
        encoder={"name": "published configurations, random weights", "fingerprint": fingerprint},
        rows=rows,
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """The most memory that each command took, and whether it was enough for large photos."""
    large = [row for row in rows if row["size"] is not None]
    return {
        "encoders": len({row["encoder"] for row in rows}),
        "peak_mb": _peaks([row for row in rows if row["size"] is None]),
        "large_peak_mb": _peaks(large),
        "large_within_2_gb": bool(large) and all(row["peak_mb"] < MEMORY_MB for row in large),
    }


def table(rows: list[Row]) -> str:
    """The rows as a table in Markdown: a line for each encoder and size."""
    lines = []
    for about in dict.fromkeys((row["encoder"], row["size"]) for row in rows):
        alike = {row["step"]: row for row in rows if (row["encoder"], row["size"]) == about}
        size, grid = about[1] or "area of 448 × 448", next(iter(alike.values()))["grid"]
        cells = [
            f"{alike[step]['seconds']:.0f} s, {alike[step]['peak_mb']:.0f} MB"
            if step in alike
            else ""
            for step in ("fit", "discover", "evaluate")
        ]
        lines.append((about[0], size.replace("x", " × "), f"{grid[0]} × {grid[1]}", *cells))
    return markdown(("encoder", "photos", "grid", "fit", "discover", "evaluate"), lines)


def write_sets(photos: Sequence[Path], work: Path) -> None:
    """Copy the photos with masks of all that is in them, and make large ones."""
    for path in photos:
        for name in ("demo/images", "demo/masks", "large"):
            (work / name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, work / "demo" / "images" / path.name)
        with Image.open(DEMO / "masks" / f"{path.stem}.png") as mask:
            objects = np.asarray(mask) > 0
        Image.fromarray(objects).convert("L").save(work / "demo" / "masks" / f"{path.stem}.png")
        with Image.open(path) as photo:
            photo.resize(LARGE, Image.Resampling.BICUBIC).save(work / "large" / f"{path.stem}.png")


def try_out(alias: str, work: Path) -> list[Row]:
    """Run every command with an encoder; the weights are deleted in the end.

    Raises:
        InputError: if a command fails, naming it.
    """
    place = work / "weights"
    shutil.rmtree(work / alias, ignore_errors=True)
    PUBLISHED[alias].write(place / alias)
    try:
        with _weights_in(place):
            rows = _run(alias, work / "demo" / "images", work / alias / "demo", None)
            rows.append(_evaluate(alias, work / "demo", work / alias / "demo", rows[0]))
            if CARDS[alias].patch == min(card.patch for card in CARDS.values()):
                size = "{}x{}".format(*reversed(LARGE))
                rows += _run(alias, work / "large", work / alias / "large", size, *NATIVE)
    finally:
        shutil.rmtree(place / alias)
    shutil.rmtree(work / alias)
    return rows


def _run(alias: str, photos: Path, work: Path, size: str | None, *options: str) -> list[Row]:
    """A short `heap fit`, then `heap discover` with the head; the export is counted."""
    model, run = work / "models" / "heap-0", work / "run"
    fitted = run_heap(
        *("fit", photos, "--out", model, "--encoder", alias, "--cache", work / "features"),
        *("--settings", _settings(work / "fit.json", SETTINGS)),
        *options,
    )
    measured = run_heap("discover", photos, "--out", run, "--model", model)
    exported = json.loads((run / "objects.json").read_text(encoding="utf-8"))
    results = list(RunStore.open(run).results())
    about: Row = {
        "encoder": alias,
        "size": size,
        "photos": len(exported["images"]),
        "grid": list(results[0].regions.label_map.shape),
    }
    return [
        about | {"step": "fit", "seconds": fitted.seconds, "peak_mb": fitted.peak_mb},
        about | {"step": "discover", "seconds": measured.seconds, "peak_mb": measured.peak_mb}
        | {"objects": len(exported["annotations"])},
    ]  # fmt: skip


def _evaluate(alias: str, data: Path, work: Path, about: Row) -> Row:
    """Score the head, and FOUND taught on the same features."""
    done = run_heap(
        *("evaluate", "saliency-found-v1", "--data", f"folder:{data}", "--encoder", alias),
        *("--method", "heap", "--method", "found", "--fit", data / "images"),
        *("--model", work / "models", "--settings", _settings(work / "found.json", FOUND)),
        *("--cache", work / "features", "--out", work / "results"),
    )
    return about | {"step": "evaluate", "seconds": done.seconds, "peak_mb": done.peak_mb}


def _settings(path: Path, values: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def _peaks(rows: list[Row]) -> dict[str, float]:
    return {step: max(row["peak_mb"] for row in of) for step, of in rows_by(rows, "step").items()}


@contextmanager
def _weights_in(folder: Path) -> Iterator[None]:
    """Tell the commands where the encoders lie."""
    before = os.environ.get(_FOLDER)
    os.environ[_FOLDER] = str(folder)
    try:
        yield
    finally:
        del os.environ[_FOLDER]
        if before is not None:
            os.environ[_FOLDER] = before


STUDY = Study("encoders-v1", bench, summarise, lambda report: table(report["rows"]))

"""The whole main job on one collection: discover, sort, search, inspect, export, read again.

Every command is a process of its own, so its seconds and its memory are what a user sees. What is
exported is read again by what people read it with, and compared with what the store holds.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import DATA, RUNS, Data, images_in, once, run_heap
from benchmarks.comparing import FAITHFUL, Held, judge, read_store, recut, reread
from benchmarks.report import Row, about_encoder, digest, markdown, rows_by
from benchmarks.rereading import CONSUMERS
from benchmarks.study import Measured, Study
from benchmarks.tuned import LABELS, fitted_models
from heap.model.heap import Heap
from heap.run import Run
from heap.store.columns import unit_vectors

FOLDERS = ("voc12-animals/VOCdevkit/VOC2012/JPEGImages", "coco-val100/images", "ecssd500/images")
ENCODERS = ("embedded", "vit-tiny-supervised")
"""The model inside the package, and the first of the models of `peers` on the other one."""
WHERE = "score > 0.3 AND category > 0"
OPTIONS = ("--categories", "--split", "train=0.8,val=0.2")
EXTRA: dict[str, tuple[str, ...]] = {"coco": ("--images", "copy"), "csv": ("--crops",)}


def bench(
    *,
    data: Data = DATA,
    encoder: Sequence[str] = ENCODERS,
    work: Path = RUNS / "peers",
) -> Measured:
    """Do the whole job with each encoder.

    Args:
        data: Folder with `voc12-animals`, `coco-val100` and `ecssd500`; with `duts-tr` too if a
            model is missing.
        encoder: Those of `ENCODERS` to do.
        work: Folder of `peers`, with its models; runs are added to it. Steps that are done
            are not done again.
    """
    folders = [data / folder for folder in FOLDERS]
    rows, about = [], []
    for name in encoder:
        model = "embedded" if name == "embedded" else str(fitted_models(name, data, work)[0])
        heap = Heap.from_pretrained(model)
        place = work / name / "collection" / heap.fingerprint[:12]
        about.append(about_encoder(heap) | {"name": name})
        rows += [{"encoder": name} | row for row in job(model, folders, place)]
    images = [path for folder in folders for path in images_in(folder)]
    return Measured(
        data={"set": ", ".join(FOLDERS), "images": len(images), "sha256": digest(images)},
        encoder=about,
        rows=rows,
    )


Step = Callable[..., Row]
"""Runs `heap` with arguments, once, as the step of a name; gives its row with its `output`."""


def job(model: str, folders: Sequence[Path], place: Path) -> list[Row]:
    """All steps in their order, with one model."""
    run, steps = place / "run", place / "steps"

    def step(name: str, *arguments: str | Path) -> Row:
        row: Row = once(steps / f"{name}.json", partial(measured, name, arguments))
        return row

    if not (steps / "discover.json").exists():
        # The rest of an interrupted run would make the time of this one too short.
        shutil.rmtree(run, ignore_errors=True)
    rows = [step("discover", "discover", *folders, "--out", run, "--model", model, "--json")]
    rows[0] |= {"found": _found(rows[0].pop("output"), "done", "empty", "failed", "objects")}
    sorting = step("categories", "categories", run, "--k", "auto", "--again", "--json")
    sizes = [part["size"] for part in json.loads(sorting["output"])["categories"]]
    apart = json.loads(sorting.pop("output"))["apart"]
    rows.append(
        sorting | {"found": {"categories": len(sizes), "members": sum(sizes), "apart": apart}}
    )
    held = read_store(run)
    rows.append({"step": "store", "found": held.counts()})
    rows += searches(run, step)
    looked = step("inspect", "inspect", run, "--json", "--count", "10")
    report = json.loads(looked.pop("output"))
    rows.append(looked | {"found": {name: len(part) for name, part in report.items()}})
    for format in CONSUMERS:
        rows += exported(format, run, place, held, step)
    crops = place / "export-csv" / "crops"
    rows.append(once(steps / "crops.json", partial(recut, held, crops)))
    return rows


def measured(name: str, arguments: Sequence[str | Path]) -> Row:
    """Run `heap` to its end, and say what it took.

    Raises:
        InputError: if it fails.
    """
    return {"step": name} | asdict(run_heap(*arguments))


def exported(format: str, run: Path, place: Path, held: Held, step: Step) -> list[Row]:
    """Export in one format, and read it again with all its consumers."""
    folder = place / f"export-{format}"
    options = (*OPTIONS, *EXTRA.get(format, ()))
    done = step(f"export {format}", "export", run, "--format", format, "--out", folder, *options)
    del done["output"]
    rows = [done | {"options": " ".join(options)}]
    for consumer in CONSUMERS[format]:
        kept = place / "steps" / f"read {format} {consumer.name}.json"
        rows.append(once(kept, partial(reread, held, format, consumer, folder)))
    return rows


def searches(run: Path, step: Step) -> list[Row]:
    """Look for the best object of the run in four ways; is the answer the right one?"""
    collection = Run(run)
    objects = collection.objects.to_pandas().sort_values(["score", "id"], ascending=[False, True])
    vectors = unit_vectors(np.stack(objects["vector"].to_list()))
    best = objects.iloc[0]
    images = collection.store.table("images").search().where(f"key = '{best['key']}'").to_list()
    box = ",".join(f"{best[side]:.1f}" for side in ("x1", "y1", "x2", "y2"))
    likeness = vectors @ vectors[0]
    others, fits = (
        objects.index != objects.index[0],
        (objects["score"] > 0.3) & (objects["category"] > 0),
    )
    picture = ("--image", images[0]["source"])
    asked: dict[str, tuple[tuple[str, ...], Any]] = {
        "search object": (("--object", best["id"]), others),
        "search object where": (("--object", best["id"], "--where", WHERE), others & fits),
        "search image": (picture, None),
        "search image box": ((*picture, "--box", box), None),
    }
    rows = []
    for name, (arguments, wanted) in asked.items():
        row = step(name, "search", run, *arguments, "--json")
        hits = [hit["id"] for hit in json.loads(row.pop("output"))]
        about: Row = {"hits": len(hits)}
        if wanted is None:
            about["rank_of_itself"] = hits.index(best["id"]) + 1 if best["id"] in hits else None
        else:
            order = np.argsort(-likeness[wanted], kind="stable")[: len(hits)]
            about["nearest_of_all"] = hits == objects["id"][wanted].iloc[order].to_list()
        rows.append(row | {"found": about})
    return rows


def summarise(rows: list[Row]) -> dict[str, Any]:
    """By encoder: what the store holds, how each reader got it back, and what the steps took."""
    return {name: _summary(of) for name, of in rows_by(rows, "encoder").items()}


def _summary(rows: list[Row]) -> dict[str, Any]:
    (held,) = (row["found"] for row in rows if row["step"] == "store")
    readers = {
        f"{row['step']}, {row['reader']}": judge(row, held) for row in rows if "reader" in row
    }
    return {
        "store": held,
        "passed": all(reader["passed"] for reader in readers.values()),
        "readers": readers,
        "seconds": {row["step"]: row["seconds"] for row in rows if "peak_mb" in row},
        "cpu_seconds": {row["step"]: row["cpu_seconds"] for row in rows if "peak_mb" in row},
        "peak_mb": max(row["peak_mb"] for row in rows if "peak_mb" in row),
    }


def table(rows: list[Row]) -> str:
    """Costs of the steps, and results of the readers, as tables in Markdown."""
    parts = []
    for name, mine in rows_by(rows, "encoder").items():
        (held,) = (row["found"] for row in mine if row["step"] == "store")
        steps = [_cells(row) for row in mine if "peak_mb" in row]
        readers = [_judged(row, held) for row in mine if "reader" in row]
        parts += [
            f"## {LABELS[name]}", "", f"The store holds {_said(held)}.", "",
            markdown(("step", "seconds", "of one core", "MB", "what came of it"), steps),
            markdown(
                ("step", "by", "seconds", "images", "objects", "classes", "right class",
                 "least IoU", "mean IoU", f"below {FAITHFUL}", "box off, pixels"),
                readers,
            ),
        ]  # fmt: skip
    return "\n".join(parts)


def _cells(row: Row) -> list[str]:
    said = row["options"] if "options" in row else _said(row["found"])
    return [
        row["step"],
        f"{row['seconds']:.1f}",
        f"{row['cpu_seconds']:.1f}",
        f"{row['peak_mb']:.0f}",
        said,
    ]


def _judged(row: Row, held: Row) -> list[str]:
    judgement = judge(row, held)
    off = "" if judgement["box_off"] is None else f"{judgement['box_off']:.2f}"
    counts = [str(row[name]) for name in ("images", "objects", "classes", "labels")]
    ious = [
        f"{judgement['iou_least']:.4f}",
        f"{judgement['iou_mean']:.4f}",
        str(judgement["below"]),
    ]
    return [row["step"], row["reader"], f"{row['seconds']:.1f}", *counts, *ious, off]


def _said(row: Row) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.items())


def _found(output: str, *names: str) -> Row:
    values = json.loads(output)
    return {name: values[name] for name in names}


STUDY = Study("collection-v1", bench, summarise, lambda report: table(report["rows"]))

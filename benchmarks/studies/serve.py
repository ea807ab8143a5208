"""Speed of the answers of `heap serve`: contents, pictures, outlines, similar objects."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np

import heap
from benchmarks.common import DATA, RUNS, Data, images_in, run_heap
from benchmarks.report import Row, about_data, about_encoder, rows_by
from benchmarks.serving import serving
from benchmarks.study import Measured, Study
from heap.categories.sorting import sort_objects
from heap.model.heap import Heap
from heap.store.editing import Editor

CONNECTIONS = 6
"""Connections that a browser opens to one machine."""
LISTED = ("run", "categories", "contents")


def bench(
    *,
    data: Data = DATA,
    model: str = "embedded",
    requests: int = 240,
    work: Path = RUNS / "bench_serve",
) -> Measured:
    """Serve a run over 500 photos and ask as a browser does, six requests at a time.

    Args:
        data: Folder with `ecssd500`.
        model: "embedded", or a folder that `heap fit` has written.
        requests: How many of each kind.
        work: Folder of the run; it is made if it is not there.
    """
    photos, run = data / "ecssd500" / "images", work / "run"
    run_heap("discover", photos, "--out", run, "--model", model)
    if not heap.open(run).categories:
        with Editor(run) as editor:
            sort_objects(editor, 12)
    rows: list[Row] = []
    with serving(run, "--read-only") as served:
        for kind, paths in _kinds(run).items():
            some = list(itertools.islice(itertools.cycle(paths), requests))
            rows += [{"kind": kind, "ms": ms} for ms in _ask(served.address, some)]
    return Measured(
        data=about_data("ecssd500", images_in(photos)),
        encoder=about_encoder(Heap.from_pretrained(model)),
        rows=rows,
        figures={"connections": CONNECTIONS, "objects": heap.open(run).store.counts().objects},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Median and 95th percentile of the milliseconds that an answer of each kind takes."""
    summary = {}
    for kind, of in rows_by(rows, "kind").items():
        times = np.array([row["ms"] for row in of])
        summary[kind] = {"median": float(np.median(times)), "p95": float(np.quantile(times, 0.95))}
    return summary


def _kinds(run: Path) -> dict[str, list[str]]:
    """Addresses of each kind."""
    table = heap.open(run).objects.to_arrow()
    keys = list(dict.fromkeys(table["key"].to_pylist()))
    ids = table["id"].to_pylist()

    def of_each(path: str, name: str, values: list[str]) -> list[str]:
        return [f"{path}?{urlencode({name: value})}" for value in values]

    listed = ("/api/run", "/api/categories", "/api/contents")
    return {
        **{name: [path] for name, path in zip(LISTED, listed, strict=True)},
        "thumbnail": of_each("/pictures/thumbnail", "key", keys),
        "regions": of_each("/pictures/regions", "key", keys),
        "outlines": of_each("/api/outlines", "key", keys),
        "what is like an object": of_each("/api/nearest/object", "id", ids),
    }


def _ask(address: str, paths: list[str]) -> list[float]:
    def ask(path: str) -> float:
        began = time.perf_counter()
        with urlopen(f"{address}{path}") as answer:  # noqa: S310  # our own server
            answer.read()
        return 1000 * (time.perf_counter() - began)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return list(pool.map(ask, paths))


STUDY = Study("serve-v1", bench, summarise)

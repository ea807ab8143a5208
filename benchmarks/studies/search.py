"""Nearest objects among very many: exact and with the index, with and without a condition.

Synthetic objects, those of a clear structure and those of none. Every search is the function that
`heap search` calls; exact and indexed take turns, ten queries each, in one process. Recall is the
share of the 20 nearest of the exact search that are found with the index.
"""

import hashlib
import multiprocessing
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from benchmarks.common import RUNS
from benchmarks.measuring import MEGABYTES
from benchmarks.report import Row, markdown
from benchmarks.study import Measured, Study
from benchmarks.synthetic_objects import PER_IMAGE, VECTORS, Vectors, make_run
from heap.store import schema
from heap.store.editing import Editor
from heap.store.index import make_index
from heap.store.search import Hits, nearest
from heap.store.store import RunStore

WHERE = {"all": None, "half": "score > 0.5", "1 %": "score > 0.99"}
MODES = {"exact": True, "indexed": False}
"""Values of `exact`; by default an index is used where more objects fit than are quickly read."""
SEARCHED = (
    *("vectors", "objects", "that fit", "exact, ms (95 %)", "of CPU", "indexed, ms (95 %)"),
    *("of CPU", "recall@20", "by default"),
)
MADE = {
    "vectors": "objects", "objects": "objects", "making the index, s": "build_seconds",
    "of CPU": "build_cpu_seconds",
    "its peak, MB": "build_peak_mb", "store, MB": "store_mb", "index, MB": "index_mb",
    "parts looked through": "probes", "MB of a process that searches, exact": "exact_peak_mb",
    "indexed": "indexed_peak_mb", "recall@20 reported": "recall",
}  # fmt: skip
"""Columns of the second table, and where they are from."""
TURN = 10
NEAREST = 20


@dataclass(frozen=True)
class Try:
    """One query."""

    ms: float
    cpu_ms: float
    """Processor time of all threads; with one core to itself it is the time."""
    ids: set[str]


def bench(
    *,
    size: Sequence[int] = (100_000, 1_000_000),
    vectors: Sequence[str] = tuple(VECTORS),
    dim: int = 192,
    limit: int = 100,
    work: Path = RUNS / "bench_search",
) -> Measured:
    """Make runs of synthetic objects, index them, and search.

    Args:
        size: Numbers of objects.
        vectors: Which ones of `synthetic_objects.VECTORS`.
        dim: Length of an embedding.
        limit: Number of queries.
        work: Folder of the runs, each of which is removed after its searches.
    """
    rows: list[Row] = []
    runs = []
    for kind in vectors:
        for count in size:
            run = work / f"{kind}-{count}"
            about = {"vectors": kind, "objects": count}
            _apart(make_run, run, VECTORS[kind], count, dim)
            plain = _megabytes(run)
            built = _apart(index, run)
            runs.append(
                about | built | {"store_mb": plain, "index_mb": _megabytes(run) - plain}
                | {f"{mode}_peak_mb": _apart(peak_of, run, kind, dim, mode) for mode in MODES}
            )  # fmt: skip
            rows += [about | row for row in _apart(search, run, kind, dim, limit)]
            shutil.rmtree(run)
    tried = hashlib.sha256(repr((sorted(vectors), dim)).encode()).hexdigest()[:16]
    return Measured(
        data={"set": "made by the script", "images": sum(size) // PER_IMAGE},
        encoder={"name": f"none, vectors of {dim} numbers", "fingerprint": tried},
        rows=rows,
        figures={"runs": runs},
    )


def index(run: Path) -> dict[str, Any]:
    """Make the index, as `heap discover` does it at its end; how long it takes and what it is."""
    with Editor(run) as editor:
        began, worked = time.perf_counter(), time.process_time()
        index = make_index(editor.store.database, editor.store.table(schema.OBJECTS))
        took, cpu = time.perf_counter() - began, time.process_time() - worked
    about = {name: value for name, value in asdict(index).items() if name != "objects"}
    times = {"build_seconds": took, "build_cpu_seconds": cpu}
    return about | times | {"build_peak_mb": _peak_mb()}


def search(run: Path, kind: str, dim: int, limit: int) -> list[Row]:
    """Milliseconds of each query, and the recall with the index, by condition and mode."""
    asked = _queries(kind, dim, limit)
    ask = partial(nearest, RunStore.open(run), count=NEAREST)
    rows: list[Row] = []
    for name, where in WHERE.items():
        by_default = "exact" if ask(asked[0], where=where).searched_with is None else "indexed"
        tries: dict[str, list[Try]] = {mode: [] for mode in MODES}
        for start in range(0, limit, TURN):
            for mode, exact in MODES.items():
                ask(
                    asked[start], where=where, exact=exact
                )  # reads again what the other one drove out
                for vector in asked[start : start + TURN]:
                    tries[mode].append(_timed(partial(ask, vector, where=where, exact=exact)))
        for mode, timed in tries.items():
            pairs = zip(timed, tries["exact"], strict=True)
            rows.append({
                "fits": name, "mode": mode, "by_default": by_default,
                "ms": [attempt.ms for attempt in timed],
                "cpu_ms": [attempt.cpu_ms for attempt in timed],
                "recall": [len(ours.ids & best.ids) / len(best.ids) for ours, best in pairs],
            })  # fmt: skip
    return rows


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Median and 95th percentile of the time of a query, and mean recall."""
    summary: dict[str, Any] = {}
    for row in rows:
        of = summary.setdefault(row["vectors"], {}).setdefault(str(row["objects"]), {})
        of.setdefault(row["fits"], {})[row["mode"]] = {
            "median_ms": median(row["ms"]),
            "p95_ms": float(np.percentile(row["ms"], 95)),
            "median_cpu_ms": median(row["cpu_ms"]),
            "recall": mean(row["recall"]),
        }
    for of in summary.values():
        for cells in of.values():
            for cell in cells.values():
                cell["times_faster"] = cell["exact"]["median_ms"] / cell["indexed"]["median_ms"]
    return summary


def table(rows: list[Row], runs: Sequence[Row]) -> str:
    """Searches and indexes as two tables in Markdown."""
    searched = []
    summary = summarise(rows)
    for row in rows:
        if row["mode"] == "indexed":
            cell = summary[row["vectors"]][str(row["objects"])][row["fits"]]
            times = [text for mode in MODES for text in _times(cell[mode])]
            recall = f"{cell['indexed']['recall']:.3f}"
            about = (row["vectors"], f"{row['objects']:,}", row["fits"])
            searched.append((*about, *times, recall, row["by_default"]))
    indexes = []
    for run in runs:
        whole = [f"{run[name]:,.0f}" for name in MADE.values()]
        indexes.append((run["vectors"], *whole[1:-1], f"{run['recall']:.3f}"))
    return f"{markdown(SEARCHED, searched)}\n{markdown(tuple(MADE), indexes)}"


def _times(cell: dict[str, float]) -> tuple[str, str]:
    return f"{cell['median_ms']:.0f} ({cell['p95_ms']:.0f})", f"{cell['median_cpu_ms']:.0f}"


def peak_of(run: Path, kind: str, dim: int, mode: str) -> float:
    """Largest resident memory of a process that searches ten times."""
    store = RunStore.open(run)
    for vector in _queries(kind, dim, TURN):
        nearest(store, vector, NEAREST, exact=MODES[mode])
    return _peak_mb()


def _timed(ask: Callable[[], Hits]) -> Try:
    began, worked = time.perf_counter(), time.process_time()
    hits = ask()
    took, cpu = time.perf_counter() - began, time.process_time() - worked
    return Try(1000 * took, 1000 * cpu, {hit.id for hit in hits})


def _queries(kind: str, dim: int, count: int) -> Vectors:
    """Vectors of the same kinds that are not in the run."""
    return VECTORS[kind](count, dim, np.random.default_rng(2))


def _apart(work: Callable[..., Any], *arguments: object) -> Any:
    """Result of a function in a process of its own, whose memory nothing else has used."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MEGABYTES


def _megabytes(run: Path) -> float:
    return sum(path.stat().st_size for path in run.rglob("*") if path.is_file()) / 1e6


STUDY = Study(
    "search-v1", bench, summarise, lambda report: table(report["rows"], report["measured"]["runs"])
)

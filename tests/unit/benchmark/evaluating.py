"""Evaluations small enough for a test: settings, entries, and what must be alike in two results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heap.benchmark.datasets import open_dataset
from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.results import Results
from heap.benchmark.run.bench import Bench, Entry
from heap.benchmark.run.evaluate import Task, score_methods
from heap.benchmark.run.methods import METHODS

HEAD = {"groups": 4, "blocks": 1, "heads": 2, "width": 16}
STEPS = {"steps": 40, "batch": 6, "learning_rate": 1e-2}
SETTINGS: dict[str, dict[str, Any]] = {
    "heap": {"head": HEAD, "losses": {"prior": "boundary"}, "fit": STEPS},
    "heap-alone": {"head": HEAD, "fit": STEPS},
    "heap-self": {"head": HEAD, "fit": STEPS},
    "found": {"steps": 5},
    "found-solver": {"steps": 1},
}
"""By method: those that learn do it in a second."""
USUAL = ("saliency-found-v1", "corloc-found-v1")


def entry(name: str, out: Path, settings: Mapping[str, Any] | None = None, **options: Any) -> Entry:
    """A method with a model, if it has one, beside its result."""
    chosen = SETTINGS.get(name, {}) if settings is None else settings
    usual = {"model": out.with_name(f"{name}-model")} if METHODS[name].learn else {}
    return Entry(METHODS[name], out, chosen, **{**usual, **options})


def task(spec: str | Path, *names: str) -> Task:
    """Protocols on a data set; of a path, a folder of images and masks."""
    data = open_dataset(spec if isinstance(spec, str) else f"folder:{spec}")
    return Task([PROTOCOLS[name] for name in names or USUAL], data)


def run(what: Task | Path, bench: Bench, *entries: Entry) -> Results:
    """Evaluate; the first of the results."""
    return score_methods(what if isinstance(what, Task) else task(what), bench, entries)[0]


def scores(results: Results) -> dict[str, Any]:
    """By image, in the order of the rows."""
    return {row.image: row.scores for row in results.rows}

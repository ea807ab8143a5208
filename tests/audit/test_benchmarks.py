"""Committed results of benchmarks are all there, and their figures follow from their rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmark_results import PROTOCOLS, check
from benchmarks.bench_collection import table as collection_table
from benchmarks.bench_encoders import table as encoders_table
from benchmarks.bench_retrieval import table as retrieval_table
from benchmarks.bench_search import table as search_table
from benchmarks.category_scores import table as categories_table
from changes import ROOT, to_score

RESULTS = ROOT / "benchmarks" / "results"
NOT_MEASURED = {"bench_encoders"}
"""Nothing is committed of these."""
COMMITTED = sorted(RESULTS.glob("*.json"))
TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "bench_encoders": lambda result: encoders_table(result["rows"]),
    "bench_collection": lambda result: collection_table(result["rows"]),
    "bench_categories": lambda result: categories_table(result["summary"]),
    "bench_retrieval": lambda result: retrieval_table(result["summary"]),
    "bench_search": lambda result: search_table(result["rows"], result["measured"]["runs"]),
}


def changed(paths: list[Path]) -> list[Path]:
    """Those that changed, or whose benchmark did."""
    return [
        path
        for path in paths
        if to_score([path, path.with_suffix(".json")], [f"benchmarks.{path.stem}"])
    ]


def test_all_are_there() -> None:
    assert {path.stem for path in COMMITTED} == PROTOCOLS.keys() - NOT_MEASURED
    assert {path.stem for path in RESULTS.glob("*.md")} == TABLES.keys() - NOT_MEASURED


@pytest.mark.parametrize("path", changed(COMMITTED), ids=lambda path: path.stem)
def test_the_figures_follow_from_their_rows(path: Path) -> None:
    check(path)


@pytest.mark.parametrize(
    "path",
    changed([RESULTS / f"{name}.md" for name in sorted(TABLES.keys() - NOT_MEASURED)]),
    ids=lambda path: path.stem,
)
def test_the_tables_are_made_of_their_results(path: Path) -> None:
    result = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == TABLES[path.stem](result)

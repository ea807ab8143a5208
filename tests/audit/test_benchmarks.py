"""Committed results of benchmarks are all there, and their figures follow from their rows."""

import json
from pathlib import Path

import pytest
from benchmark_results import check
from benchmarks.study import reports
from changes import ROOT, to_score

RESULTS = ROOT / "benchmarks" / "results"
NOT_MEASURED = {"bench_encoders"}
"""Nothing is committed of this one."""
COMMITTED = sorted(RESULTS.glob("*.json"))
STUDIES = {study.out.stem: study for study in reports().values()}
TABLES = {stem for stem, study in STUDIES.items() if study.table}


def changed(paths: list[Path]) -> list[Path]:
    """Those that changed, or whose benchmark did."""
    return [
        path
        for path in paths
        if to_score(
            [path, path.with_suffix(".json")], [f"benchmarks.studies.{STUDIES[path.stem].name}"]
        )
    ]


def test_all_are_there() -> None:
    assert {path.stem for path in COMMITTED} == STUDIES.keys() - NOT_MEASURED
    assert {path.stem for path in RESULTS.glob("*.md")} == TABLES - NOT_MEASURED


@pytest.mark.parametrize("path", changed(COMMITTED), ids=lambda path: path.stem)
def test_the_figures_follow_from_their_rows(path: Path) -> None:
    check(path)


@pytest.mark.parametrize(
    "path",
    changed([RESULTS / f"{name}.md" for name in sorted(TABLES - NOT_MEASURED)]),
    ids=lambda path: path.stem,
)
def test_the_tables_are_made_of_their_results(path: Path) -> None:
    table = STUDIES[path.stem].table
    assert table
    result = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == table(result)

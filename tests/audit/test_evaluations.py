"""Committed evaluations are all there, and are scored again from their rows; so are the tables."""

import json
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.evaluations import SEEDS, Set
from benchmarks.studies.abstention import table_of
from benchmarks.tuned import ENCODERS, SETS, UNTUNED
from changes import ROOT, to_score

from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.results import Metric, read_results
from heap.benchmark.run.methods import METHODS
from heap.benchmark.tables import to_markdown_page
from heap.benchmark.tables.markdown import to_markdown

RESULTS = ROOT / "benchmarks" / "results"
FOLDER = RESULTS / "peers"
FILES = sorted(RESULTS.rglob("*.json.gz"))
HELD = {"abstention": 128, "layers": 1, "peers": 182, "regions": 15, "self": 12, "several": 75}
"""Evaluations in each folder; one that is deleted or added has to be so here too."""
SCORING = sorted({type(protocol).__module__ for protocol in PROTOCOLS.values()})
TABLES = ["heap.benchmark.results", "heap.benchmark.tables", "heap.benchmark.tables.markdown"]


def name_of(path: Path) -> str:
    return str(path.relative_to(RESULTS))


def folders_to_make(*modules: str) -> set[str]:
    """Folders whose tables have to be made again."""
    made_of = [*FILES, *RESULTS.rglob("tables.md")]
    return {name_of(path).partition("/")[0] for path in to_score(made_of, [*TABLES, *modules])}


def test_all_are_there() -> None:
    held = Counter(name_of(path).partition("/")[0] for path in FILES)
    assert held == HELD


@pytest.mark.parametrize("path", to_score(FILES, SCORING), ids=name_of)
def test_every_value_comes_out_of_the_rows_again(path: Path) -> None:
    results = read_results(path)
    for name, scores in results.protocols.items():
        rows = list(results.scores_of(name).values())
        assert len(rows) == scores.images
        again = {
            metric: value
            for values in PROTOCOLS[name].values(rows, scores.notes)
            for metric, value in values.value().items()
        }
        # A value of nan is none; what is rounded may come out one last digit higher or lower.
        expected = {metric: found.value for metric, found in scores.metrics.items()}
        assert again == pytest.approx(
            {metric: float("nan") if v is None else v for metric, v in expected.items()},
            abs=1.01e-5,
            nan_ok=True,
        )


@pytest.mark.parametrize("used", SETS, ids=lambda used: used.name)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_method_is_there_with_its_seeds(encoder: str, used: Set) -> None:
    folder = FOLDER / encoder / used.name
    found = {path.name.removesuffix(".json.gz") for path in folder.glob("*.json.gz")}
    wanted = {
        name
        for card in (METHODS[name] for name in ENCODERS[encoder].methods)
        for name in ([f"{card.name}-{s}" for s in SEEDS] if card.learn else [card.name])
    }
    assert found == wanted


@pytest.mark.parametrize(
    ("path", "name"),
    # One of each kind of value: the bootstrap of all of them takes minutes.
    [
        ("vit-tiny-supervised/ecssd500/found-0.json.gz", "saliency-sod-v1"),
        ("vit-tiny-supervised/coco-val100/heap-0.json.gz", "ap-mask-v1"),
        ("embedded-small/voc12-animals/heap-0.json.gz", "retrieval-voc12-animals-v1"),
    ],
)
def test_the_intervals_come_out_of_the_rows_again(path: str, name: str) -> None:
    if not to_score([FOLDER / path], SCORING):
        pytest.skip("neither it nor its scoring has changed")
    results = read_results(FOLDER / path)
    scores = results.protocols[name]
    rows = list(results.scores_of(name).values())
    again = {
        metric: Metric.of(found)
        for values in PROTOCOLS[name].values(rows, scores.notes)
        for metric, found in values.estimate().items()
    }
    assert again == scores.metrics


@pytest.mark.parametrize(
    ("folder", "kinds"), [("peers", None), ("self", None), ("several", ["several"])]
)
def test_the_tables_are_made_of_these_results(folder: str, kinds: list[str] | None) -> None:
    if folder not in folders_to_make():
        pytest.skip("neither the results nor the making of tables has changed")
    found = sorted((RESULTS / folder).rglob("*.json.gz"))
    made = to_markdown_page([read_results(path) for path in found], kinds)
    assert (RESULTS / folder / "tables.md").read_text(encoding="utf-8") == made


def test_the_table_of_abstention_is_made_of_its_results() -> None:
    if "abstention" not in folders_to_make("benchmarks.studies.abstention"):
        pytest.skip("neither the results nor the making of the table has changed")
    made = to_markdown(table_of(RESULTS / "abstention")) + "\n"
    assert (RESULTS / "abstention" / "tables.md").read_text(encoding="utf-8") == made


def test_every_method_was_tuned_with_the_same_budget() -> None:
    for encoder in ENCODERS:
        budgets = set()
        for card in (METHODS[name] for name in ENCODERS[encoder].methods):
            if not card.grid or card.name in UNTUNED:
                continue
            log = json.loads((FOLDER / encoder / "tuning" / f"{card.name}.log").read_text())
            best = max(log["trials"], key=lambda trial: trial["iou"])
            assert log["chosen"] == best["settings"]
            assert "duts-tr/tune" in log["data"]["place"]
            budgets.add(json.dumps(log["budget"], sort_keys=True))
        assert len(budgets) == 1

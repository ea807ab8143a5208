"""Every committed result of the peers is scored again from its rows, and so are the tables."""

import json
from pathlib import Path

import pytest
from benchmarks.bench_peers import COMPARED, ENCODERS, SEEDS, SETS, UNTUNED, Set

from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.results import Metric, read_results
from heap.benchmark.run.methods import METHODS
from heap.benchmark.tables import tables

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
FOLDER = RESULTS / "peers"
FILES = sorted(RESULTS.rglob("*.json.gz"))


def name_of(path: Path) -> str:
    return str(path.relative_to(RESULTS))


@pytest.mark.parametrize("path", FILES, ids=name_of)
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
        for card in (METHODS[name] for name in COMPARED)
        for name in ([f"{card.name}-{s}" for s in SEEDS] if card.learn else [card.name])
    }
    assert found == wanted


def test_the_intervals_come_out_of_the_rows_again() -> None:
    # One of each kind of value: the bootstrap of all of them takes minutes.
    for path, name in (
        ("vit-tiny-supervised/ecssd500/found-0.json.gz", "saliency-sod-v1"),
        ("vit-tiny-supervised/coco-val100/heap-0.json.gz", "ap-mask-v1"),
        ("embedded/voc12-animals/heap-0.json.gz", "retrieval-voc12-animals-v1"),
    ):
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
    found = sorted((RESULTS / folder).rglob("*.json.gz"))
    made = tables([read_results(path) for path in found], kinds)
    assert (RESULTS / folder / "tables.md").read_text(encoding="utf-8") == made


def test_every_method_was_tuned_with_the_same_budget() -> None:
    budgets = set()
    for encoder in ENCODERS:
        for card in METHODS.values():
            if not card.grid or card.name in UNTUNED:
                continue
            log = json.loads((FOLDER / encoder / "tuning" / f"{card.name}.json").read_text())
            best = max(log["trials"], key=lambda trial: trial["iou"])
            assert log["chosen"] == best["settings"]
            assert "duts-tr/tune" in log["data"]["place"]
            budgets.add(json.dumps(log["budget"], sort_keys=True))
    assert len(budgets) == 1

"""The threshold of the abstention benchmark and what comes of it, by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.studies.abstention import (
    ALARMS,
    COLUMNS,
    RECALL,
    at_threshold,
    lowest_threshold,
    share_kept,
    table_of,
)
from hypothesis import given
from hypothesis import strategies as st

from heap.benchmark.results import (
    AboutData,
    AboutEncoder,
    AboutMethod,
    Cost,
    ImageRow,
    Results,
    Scores,
    write_results,
)

Rows = list[dict[str, Any]]


def empty(*best: float | None, split: str = "tune") -> Rows:
    return [
        {"split": split, "alarm": each is not None, "objects": int(each is not None), "best": each}
        for each in best
    ]


def full(*found: list[float], truths: int = 2) -> Rows:
    """Rows of images, each with the scores of what was reported; all of it is there."""
    return [
        {
            "truths": truths,
            "objects": len(each),
            "found": len(each),
            "best": max(each, default=None),
        }
        for each in found
    ]


class TestThreshold:
    def test_just_above_the_first_that_is_too_many(self) -> None:
        rows = empty(0.9, 0.7, 0.7, 0.3, *[None] * 6)
        assert lowest_threshold(rows, 0.1) == 0.70001
        assert lowest_threshold(rows, 0.3) == 0.30001
        assert lowest_threshold(rows, 0.39) == 0.30001
        assert lowest_threshold(rows, 0.0) == 0.90001

    def test_none_is_needed_where_alarms_are_few_anyhow(self) -> None:
        assert lowest_threshold(empty(0.9, *[None] * 9), 0.1) == 0

    def test_nothing_is_reported_where_all_are_equally_sure(self) -> None:
        rows = empty(*[1.0] * 10)
        assert lowest_threshold(rows) > 1
        assert not any(row["alarm"] for row in at_threshold(rows, lowest_threshold(rows)))

    @given(
        best=st.lists(
            st.one_of(st.none(), st.integers(0, 20).map(lambda step: step / 20)), min_size=1
        ),
        wanted=st.floats(0, 1),
    )
    def test_no_lower_one_would_do(self, best: list[float | None], wanted: float) -> None:
        rows = empty(*best)
        threshold = lowest_threshold(rows, wanted)

        def alarms(least: float) -> float:
            return float(np.mean([row["alarm"] for row in at_threshold(rows, least)]))

        assert alarms(threshold) <= wanted
        assert threshold == 0 or alarms(threshold - 2e-5) > wanted


class TestAtThreshold:
    def test_what_has_the_very_score_is_reported(self) -> None:
        found = at_threshold(empty(0.5, 0.4, None), 0.5)
        assert [row["alarm"] for row in found] == [True, False, False]

    def test_an_image_keeps_all_its_objects_or_none(self) -> None:
        kept = at_threshold(full([0.9, 0.5, 0.4], [0.4, 0.3], []), 0.5)
        assert [row["found"] for row in kept] == [3, 0, 0]
        assert [row["truths"] for row in kept] == [2, 2, 2]

    def test_share_of_the_recall(self) -> None:
        rows = full([0.9, 0.5], [0.4], [])
        kept = share_kept(rows, 0.6)
        assert kept.value() == {"kept": pytest.approx(2 / 3)}
        # In a resample of the last image alone there is nothing to keep a share of.
        assert np.isnan(kept.at(np.array([[0.0, 0.0, 3.0]]))).all()
        assert share_kept(rows, 0.0).value() == {"kept": 1}


def result(method: str, seed: int | None, protocol: str, rows: Rows) -> Results:
    return Results(
        command="heap evaluate",
        method=AboutMethod(name=method, label=method.upper(), settings={}, seed=seed, fit=None),
        encoder=AboutEncoder(name="e", label="tiny", fingerprint="", features={}, precision="fp32"),
        data=AboutData(name="set", label="set", images=len(rows), sha256="0"),
        versions={},
        machine={},
        cost=Cost(features_seconds=None, method_seconds=None, peak_mb=None),
        protocols={protocol: Scores(images=len(rows), metrics={})},
        rows=tuple(
            ImageRow(image=str(at), split="all", seconds=None, peak_mb=None, scores={protocol: row})
            for at, row in enumerate(rows)
        ),
    )


def write(folder: Path, method: str, seed: int | None, high: float) -> None:
    """A method that is so sure of the most certain of its false alarms, and always of objects."""
    sets = {
        "choose": (ALARMS, empty(high, *[0.2] * 12)),
        "report": (ALARMS, empty(0.9, 0.3) + empty(0.1, None, split="synthetic")),
        "tune": (RECALL, full([0.8, 0.1], [0.1])),
        "ecssd500": (RECALL, full([0.8, 0.8], [0.7], [0.1], truths=2)),
    }
    name = method if seed is None else f"{method}-{seed}"
    for used, (protocol, rows) in sets.items():
        path = folder / "tiny" / used / f"{name}.json.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_results(result(method, seed, protocol, rows), path)


class TestTable:
    def values(self, table_folder: Path) -> dict[str, dict[str, float]]:
        headings = [column.heading for column in COLUMNS]
        return {
            line.method: {
                heading: cell.value
                for heading, cell in zip(headings, line.cells, strict=True)
                if cell is not None
            }
            for line in table_of(table_folder).lines
        }

    def test_by_hand(self, tmp_path: Path) -> None:
        write(tmp_path, "boundary", None, 0.5)
        found = self.values(tmp_path)["BOUNDARY"]
        # Of 13 crops one may have an alarm: all but that of 0.5 must be below.
        assert found == pytest.approx({
            "threshold": 0.20001,
            "false alarms, no threshold": 0.75,
            "false alarms": 0.5, "false alarms, tune": 1.0, "false alarms, synthetic": 0.0,
            "recall tune, no threshold": 0.75, "recall tune": 0.5, "share kept, tune": 2 / 3,
            "recall ecssd500, no threshold": 4 / 6, "recall ecssd500": 0.5,
            "share kept, ecssd500": 0.75,
        })  # fmt: skip

    def test_seeds_share_one_threshold(self, tmp_path: Path) -> None:
        write(tmp_path, "found", 0, 0.5)
        write(tmp_path, "found", 1, 0.95)
        write(tmp_path, "found", 2, 0.95)
        (line,) = table_of(tmp_path).lines
        # Of 39 crops three may have an alarm.
        assert line.cells[0] is not None
        assert line.cells[0].value == 0.20001
        recall = line.cells[-2]
        assert recall is not None
        assert (recall.value, recall.deviation, recall.low) == (0.5, 0, None)

    def test_a_method_that_is_not_done_is_left_out(self, tmp_path: Path) -> None:
        write(tmp_path, "boundary", None, 0.5)
        write(tmp_path, "tokencut", None, 0.5)
        (tmp_path / "tiny" / "ecssd500" / "tokencut.json.gz").unlink()
        assert set(self.values(tmp_path)) == {"BOUNDARY"}

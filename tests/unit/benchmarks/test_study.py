"""Studies in one harness: options, report, what is written beside it, and rows that stay."""

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.report import Row
from benchmarks.study import Measured, Study, find_study, study_names
from cyclopts import App


def measure(*, encoder: list[str], value: float = 0.5) -> Measured | None:
    """Measure nothing.

    Args:
        encoder: Names; without one there is nothing to report.
        value: Figure of every row.
    """
    about = [{"name": name, "fingerprint": name * 16} for name in encoder]
    rows: list[Row] = [{"encoder": name, "value": value} for name in encoder]
    return Measured({"set": "none", "images": 1}, about, rows, {"load": 0.123456}) if rows else None


def summarise(rows: list[Row]) -> dict[str, Any]:
    return {row["encoder"]: row["value"] for row in rows}


STUDY = Study(
    "a-v1", measure, summarise, lambda report: json.dumps(report["summary"]), lambda _: b"PNG"
)


def test_options_are_those_of_the_function_and_out(tmp_path: Path) -> None:
    app, out = App(result_action="return_value"), tmp_path / "of.json"
    app.command(STUDY.command(), name="a")
    app(["a", "--encoder", "x", "--value", "0.25", "--out", str(out)])
    report = json.loads(out.read_text())
    assert (report["name"], report["protocol"]) == ("bench_test_study", "a-v1")
    assert report["summary"] == {"x": 0.25}
    assert report["measured"] == {"load": 0.1235}
    assert json.loads(out.with_suffix(".md").read_text()) == {"x": 0.25}
    assert out.with_suffix(".png").read_bytes() == b"PNG"


def test_encoders_that_are_not_measured_again_stay(tmp_path: Path) -> None:
    out = tmp_path / "of.json"
    STUDY.run(out, encoder=["x", "y"])
    STUDY.run(out, encoder=["y", "z"], value=0.75)
    report = json.loads(out.read_text())
    assert report["summary"] == {"y": 0.75, "z": 0.75, "x": 0.5}
    assert [about["name"] for about in report["encoder"]["each"]] == ["y", "z", "x"]


def test_nothing_is_written_while_something_is_left_to_do(tmp_path: Path) -> None:
    STUDY.run(tmp_path / "of.json", encoder=[])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", study_names())
def test_every_study_is_in_the_readme_with_its_make_target(name: str) -> None:
    readme = (Path(__file__).parents[3] / "benchmarks" / "README.md").read_text(encoding="utf-8")
    target = "soak" if name == "soak" else f"bench-{name}"
    assert f"| `make {target}` |" in readme
    study = find_study(name)
    assert not isinstance(study, Study) or study.name == name

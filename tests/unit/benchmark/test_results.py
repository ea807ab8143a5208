import gzip
import json
import math
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from heap.base.errors import InputError, StoreError
from heap.benchmark.results import (
    Failure,
    Metric,
    Results,
    machine_info,
    package_versions,
    read_results,
    round_floats,
    write_results,
)
from heap.benchmark.results.estimate import Estimate

from . import made

FULL = made.results(
    {"saliency-found-v1": made.metrics(iou=(0.6, 0.5, 0.7))},
    {"saliency-found-v1": [{"iou": 0.7}, {"iou": 0.5}]},
    method=made.method("heap", 1, losses={"inter": 1e-7}),
    data=made.data(failed=(Failure(image="2", stage="decode", reason="empty"),)),
    notes={"threshold": 0.43},
)


@pytest.fixture(params=["a.json", "a.json.gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name: str = request.param
    return tmp_path / "deep" / name


def plain(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    whole: dict[str, Any] = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    return whole


class TestFiles:
    def test_are_read_as_they_were_written(self, path: Path) -> None:
        write_results(FULL, path)
        assert read_results(path) == FULL
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_hold_scores_beside_the_other_keys_of_an_image(self, path: Path) -> None:
        write_results(FULL, path)
        whole = plain(path)
        assert whole["format"] == 1
        assert whole["rows"][0] == {
            "image": "0", "split": "all", "seconds": 0.0125, "peak_mb": 812.0,
            "saliency-found-v1": {"iou": 0.7},
        }  # fmt: skip
        assert whole["protocols"]["saliency-found-v1"] == {
            "images": 2,
            "metrics": {"iou": {"value": 0.6, "low": 0.5, "high": 0.7}},
            "notes": {"threshold": 0.43},
        }
        assert whole["data"]["failed"] == [{"image": "2", "stage": "decode", "reason": "empty"}]

    def test_have_a_line_for_each_image(self, tmp_path: Path) -> None:
        write_results(FULL, tmp_path / "a.json")
        lines = (tmp_path / "a.json").read_text().splitlines()
        assert len([line for line in lines if line.startswith('{"image"')]) == 2

    def test_of_the_same_results_are_the_same_bytes(self, path: Path, tmp_path: Path) -> None:
        write_results(FULL, path)
        again = tmp_path / f"another{path.suffix}"
        write_results(read_results(path), again)
        assert again.read_bytes() == path.read_bytes()

    def test_keep_five_digits_of_measured_floats_and_all_of_settings(self, path: Path) -> None:
        write_results(made.results(
            {"corloc-any-v1": made.metrics(corloc=1 / 3)},
            {"corloc-any-v1": [{"state": [2 / 3, {"deep": 1e-9}], "hit": True}]},
            method=made.method(threshold=1e-7),
        ), path)  # fmt: skip
        whole = plain(path)
        assert whole["rows"][0]["corloc-any-v1"] == {"state": [0.66667, {"deep": 0.0}], "hit": True}
        assert whole["protocols"]["corloc-any-v1"]["metrics"]["corloc"]["value"] == 0.33333
        assert whole["method"]["settings"] == {"threshold": 1e-7}

    def test_leave_the_old_one_where_the_new_one_cannot_be_written(self, path: Path) -> None:
        write_results(FULL, path)
        bad = made.results(rows={"corloc-any-v1": [{"score": math.nan}]})
        with pytest.raises(ValueError, match="float"):
            write_results(bad, path)
        assert read_results(path) == FULL

    def test_into_a_file_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match="cannot be written"):
            write_results(FULL, tmp_path / "file" / "a.json")

    @given(
        st.lists(
            st.dictionaries(
                st.text(st.characters(codec="utf-8"), max_size=5),
                st.one_of(
                    st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(),
                    st.integers(-(2**60), 2**60), st.lists(st.floats(0, 1), max_size=3),
                ),
                max_size=3,
            ),
            min_size=1, max_size=4,
        )
    )  # fmt: skip
    def test_keep_any_rows_up_to_rounding(
        self, tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
    ) -> None:
        path = tmp_path_factory.mktemp("any") / "a.json.gz"
        write_results(made.results(rows={"any-v1": rows}), path)
        assert list(read_results(path).scores_of("any-v1").values()) == round_floats(rows)


class TestDamage:
    def refused(self, path: Path, match: str) -> None:
        with pytest.raises(StoreError, match=match) as caught:
            read_results(path)
        assert str(path) in str(caught.value)
        assert "heap" in str(caught.value)
        assert len(str(caught.value)) < 1000

    @pytest.mark.parametrize(
        "path", [["method", "seed"], ["data", "sha256"], ["rows"], ["rows", 1, "split"], ["format"]]
    )
    def test_missing_keys_are_named(self, path: list[Any], tmp_path: Path) -> None:
        file = tmp_path / "a.json"
        write_results(FULL, file)
        whole = plain(file)
        inner = whole
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]
        file.write_text(json.dumps(whole))
        if path == ["format"]:
            assert read_results(file).format == 1
        else:
            self.refused(file, rf"{path[-1]}: Field required")

    @pytest.mark.parametrize(
        ("key", "value", "match"),
        [
            ("format", 2, "is of format 2, and this heap reads format 1"),
            ("format", "1", "is of format '1'"),
            ("command", 7, "command: .*string"),
            ("surprise", 1, "surprise: Unexpected"),
            ("rows", [], "no row has scores of the protocol 'saliency-found-v1'"),
            ("cost", {"features_seconds": -1, "method_seconds": 1, "peak_mb": 1}, "greater than"),
        ],
    )
    def test_wrong_values_are_named(self, key: str, value: Any, match: str, tmp_path: Path) -> None:
        file = tmp_path / "a.json"
        write_results(FULL, file)
        file.write_text(json.dumps(plain(file) | {key: value}))
        self.refused(file, match)

    def test_an_image_with_two_rows(self, tmp_path: Path) -> None:
        file = tmp_path / "a.json"
        write_results(FULL, file)
        whole = plain(file)
        file.write_text(json.dumps(whole | {"rows": [*whole["rows"], whole["rows"][0]]}))
        self.refused(file, "several rows are of the image '0'")

    def test_many_faults_do_not_make_a_long_message(self, tmp_path: Path) -> None:
        file = tmp_path / "a.json"
        write_results(made.results(rows={"x-v1": [{}] * 500}), file)
        whole = plain(file)
        file.write_text(json.dumps(whole | {"rows": [{"image": n} for n in range(500)]}))
        self.refused(file, "rows.0.image")

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", '{"rows":' + "[" * 5000])
    def test_what_is_no_such_json(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text(text)
        self.refused(tmp_path / "a.json", "no usable file of results")

    @pytest.mark.parametrize("place", [0, 5, 40, -6, -1])
    def test_any_flipped_byte_of_a_gzip_is_noticed_or_without_effect(
        self, place: int, tmp_path: Path
    ) -> None:
        file = tmp_path / "a.json.gz"
        write_results(FULL, file)
        raw = bytearray(file.read_bytes())
        raw[place] ^= 0xFF
        file.write_bytes(raw)
        if place == 5:  # its time stamp, which nobody reads
            assert read_results(file) == FULL
        else:
            self.refused(file, "compression is damaged")

    def test_a_torn_gzip(self, tmp_path: Path) -> None:
        file = tmp_path / "a.json.gz"
        write_results(FULL, file)
        file.write_bytes(file.read_bytes()[:-20])
        self.refused(file, "compression is damaged")

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"none\.json cannot be read .*`heap evaluate`"):
            read_results(tmp_path / "none.json")
        with pytest.raises(InputError, match="cannot be read"):
            read_results(tmp_path)


class TestRecords:
    def test_scores_are_given_by_image(self) -> None:
        both = made.results(rows={"a-v1": [{"x": 1}, {"x": 2}], "b-v1": [{"y": 3}]})
        assert both.scores_of("a-v1") == {"0": {"x": 1}, "1": {"x": 2}}
        assert both.scores_of("b-v1") == {"0": {"y": 3}}
        assert both.scores_of("c-v1") == {}

    def test_what_cannot_be_is_refused_at_once(self) -> None:
        with pytest.raises(ValidationError, match="finite"):
            Metric(value=math.nan)
        with pytest.raises(ValidationError, match="no row has scores"):
            replace(FULL, rows=())

    def test_an_estimate_is_rounded_and_what_is_not_defined_left_out(self) -> None:
        assert Metric.of(Estimate(1 / 3, 0.0, math.nan)) == Metric(value=0.33333, low=0.0)

    def test_rounded_rows_stay_as_they_are(self) -> None:
        once = round_floats({"a": [1 / 3, (2 / 3,)], "b": True, "c": 10**20, "d": None})
        assert once == {"a": [0.33333, [0.66667]], "b": True, "c": 10**20, "d": None}
        assert round_floats(once) == once


def test_the_environment() -> None:
    assert package_versions()["python"] == platform.python_version()
    assert package_versions().keys() >= {"heap", "torch", "transformers"}
    assert machine_info()["cores"] >= 1
    assert machine_info()["processor"]


def test_results_are_made_of_plain_json() -> None:
    assert isinstance(FULL, Results)
    assert json.loads(json.dumps(FULL.rows[0].to_json()))["image"] == "0"

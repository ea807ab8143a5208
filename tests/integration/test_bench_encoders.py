"""The benchmark of the published encoders, by real processes, on a small one in place of one."""

import json
import os
from pathlib import Path

import pytest
from benchmarks.architectures import PUBLISHED, Published
from benchmarks.studies.encoders import STUDY, summarise, table

SMALL = {"hidden_size": 48, "num_attention_heads": 3, "num_hidden_layers": 1}


def test_an_alias_goes_through_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Published("ViT", {**SMALL, "patch_size": 16, "intermediate_size": 96})
    monkeypatch.setitem(PUBLISHED, "dino-vits16", small)
    monkeypatch.delenv("HEAP_WEIGHTS_DIR", raising=False)
    out, work = tmp_path / "bench_encoders.json", tmp_path / "work"
    STUDY.run(out, encoder=["dino-vits16"], photos=3, work=work)

    result = json.loads(out.read_text())
    assert [row["step"] for row in result["rows"]] == ["fit", "discover", "evaluate"]
    for row in result["rows"]:
        assert row["encoder"] == "dino-vits16"
        assert row["photos"] == 3
        assert row["grid"][0] * row["grid"][1] == pytest.approx(28**2, rel=0.1)
        assert row["peak_mb"] > 100
    assert result["summary"] == summarise(result["rows"])
    assert out.with_suffix(".md").read_text() == table(result["rows"])
    assert not list((work / "weights").iterdir())
    assert "HEAP_WEIGHTS_DIR" not in os.environ


def test_the_table_has_a_line_for_each_encoder_and_size() -> None:
    about = {"encoder": "a", "photos": 4, "grid": [60, 80], "peak_mb": 900.4, "seconds": 7.6}
    rows = [
        about | {"size": size, "step": step}
        for size, steps in {None: ("fit", "discover", "evaluate"), "640x480": ("discover",)}.items()
        for step in steps
    ]
    lines = table(rows).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| a | area of 448 × 448 | 60 × 80 | 8 s, 900 MB | 8 s, 900 MB |")
    assert lines[3] == "| a | 640 × 480 | 60 × 80 |  | 8 s, 900 MB |  |"


@pytest.mark.fault("F10")
@pytest.mark.parametrize(("peak", "within"), [(2047.0, True), (2048.0, False)])
def test_large_photos_have_to_stay_within_two_gigabytes(peak: float, within: bool) -> None:
    row = {"encoder": "a", "step": "fit", "size": "640x480", "peak_mb": peak}
    other = row | {"size": None, "peak_mb": 9000.0}
    found = summarise([row, other])
    assert found["large_within_2_gb"] is within
    assert found["peak_mb"] == {"fit": 9000.0}
    assert not summarise([other])["large_within_2_gb"]

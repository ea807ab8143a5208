"""`python -m heap.pretraining`, but for the machine that has little: see the integration tests."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heap.encoder.load import load_encoder
from heap.pretraining.__main__ import main
from heap.pretraining.photos import Photos

from .conftest import Config

Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Exit code and lines of standard error; nothing is written to standard output."""

    def run(*arguments: object) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["heap.pretraining", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, err = capfd.readouterr()
        assert out == ""
        assert isinstance(code, int)
        return code, err.splitlines()

    return run


@pytest.fixture
def packs(squares: Photos, tmp_path: Path) -> list[Path]:
    return squares.write(tmp_path / "photos.pack", 20_000)


def test_it_trains_on_packs_and_says_how_far_it_is(
    bare: Run, packs: list[Path], tiny: Config, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({
        "architecture": tiny().architecture, "steps": 200, "batch": 2, "crop": 32, "local_crop": 32,
        "prototypes": 8, "local_crops": 0, "global_crops": 1, "image_weight": 0.0,
        "patch_weight": 0.0,
    }))  # fmt: skip
    out = tmp_path / "deep" / "encoder"
    code, lines = bare(*packs, "--out", out, "--settings", settings)
    assert code == 0
    assert lines[0] == "12 images"
    assert [int(line.split()[0]) for line in lines[1:]] == list(range(101))
    assert all(" dense 0." in line for line in lines[1:])
    assert load_encoder(str(out)).patch == 8
    code, lines = bare(*packs, "--out", tmp_path / "on", "--settings", settings, "--start", out,
                       "--minutes", 0.001)  # fmt: skip
    assert code == 0
    assert lines[-1].startswith("100 %")
    assert len(lines) < 100


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (None, "No such file"),
        ("{", "cannot be used"),
        ("[1]", "cannot be used"),
        ('{"widht": 16}', "widht"),
        ('{"batch": 1}', "out of range: batch = 1"),
        ('{"architecture": "alexnet"}', "there is no architecture 'alexnet'"),
    ],
)
def test_settings_that_cannot_be_used(
    text: str | None, part: str, bare: Run, packs: list[Path], tmp_path: Path
) -> None:
    settings = tmp_path / "settings.json"
    if text is not None:
        settings.write_text(text)
    code, (line,) = bare(*packs, "--out", tmp_path / "out", "--settings", settings)
    assert code == 2
    assert line.startswith("heap.pretrain: ")
    assert part in line


def test_it_learns_from_a_teacher(
    bare: Run, packs: list[Path], taught: Config, teachers: list[str], tmp_path: Path
) -> None:
    """Without a word in the settings about how much what it says counts."""
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({
        "architecture": taught().architecture, "steps": 2, "batch": 4, "crop": 32,
        "teacher_resolution": 56,
    }))  # fmt: skip
    code, lines = bare(*packs, "--out", tmp_path / "out", "--settings", settings, "--teacher",
                       teachers[0])  # fmt: skip
    assert code == 0
    assert all(" distill " in line and " class " in line for line in lines[1:])
    assert load_encoder(str(tmp_path / "out")).patch == 8


def test_input_that_cannot_be_used(bare: Run, packs: list[Path], tmp_path: Path) -> None:
    cases: list[tuple[list[object], str]] = [
        ([tmp_path / "none.safetensors"], "none.safetensors cannot be read"),
        ([*packs, "--minutes", 0], "out of range: minutes = 0"),
        ([*packs, "--start", tmp_path], "there is no architecture"),
    ]
    for arguments, part in cases:
        code, (line,) = bare(*arguments, "--out", tmp_path / "out")
        assert code == 2
        assert part in line
    code, (line,) = bare(*packs, "--out", packs[0])
    assert code == 2
    assert "cannot be made (File exists)" in line

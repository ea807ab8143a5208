"""Photos that are read again: moved, exchanged, and looked for by their names."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Main = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(main: Main, photos: Path, model_folder: Path, tmp_path: Path) -> Path:
    """A run of three photos in a folder beside it."""
    for path in sorted(photos.iterdir())[:3]:
        (tmp_path / "photos" / "2019").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "photos" / "2019")
    code, _, err = main(
        "discover", tmp_path / "photos", "--model", model_folder, "--out", tmp_path / "run"
    )
    assert code == 0, err
    return tmp_path / "run"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_export_outlives_its_photos_and_follows_them(main: Main, run: Path) -> None:
    assert main("export", run, "--format", "yolo")[0] == 0
    complete = contents(run / "export-yolo")
    assert sum(name.endswith(".png") for name in complete) == 3
    moved = (run.parent / "photos").rename(run.parent / "moved")
    code, _, err = main("export", run, "--format", "yolo")
    assert code == 2
    said = err.splitlines()[-1]
    assert "stays as it was: 3 photos could not be read again" in said
    assert "--photos" in said
    assert contents(run / "export-yolo") == complete
    shutil.rmtree(run / "export-yolo")
    assert main("export", run, "--format", "yolo", "--photos", moved)[0] == 0
    assert contents(run / "export-yolo") == complete


def test_an_image_of_the_run_is_looked_for_by_its_name(main: Main, run: Path) -> None:
    search = ("search", run, "--image", "2019/00.png", "--box", "10,10,50,50", "--json")
    code, before, err = main(*search)
    assert code == 0, err
    moved = (run.parent / "photos").rename(run.parent / "moved")
    code, _, err = main(*search)
    assert code == 1
    assert "--photos" in err
    code, after, err = main(*search, "--photos", moved)
    assert code == 0, err
    assert json.loads(after) == json.loads(before)
    shutil.copy(moved / "2019" / "01.png", moved / "2019" / "00.png")
    code, _, err = main(*search, "--photos", moved)
    assert code == 1
    assert "another content" in err


@pytest.mark.parametrize("command", ["export", "search", "serve"])
def test_a_new_folder_that_is_none_is_refused(main: Main, run: Path, command: str) -> None:
    options = {"export": ["--format", "csv"], "search": ["--object", "2019/00.png#0"], "serve": []}
    code, _, err = main(command, run, *options[command], "--photos", run / "nowhere")
    assert code == 2
    assert f"{str(run / 'nowhere')!r} is not there" in err


def test_the_gallery_shows_photos_that_were_moved(main: Main, run: Path) -> None:
    """It needs no --photos: the store has a preview of every photo."""
    assert main("categories", run, "--k", 1, "--name", "1=dog")[0] == 0
    before = (run / "gallery.html").read_bytes()
    assert b"2019/00.png" in before
    (run.parent / "photos").rename(run.parent / "moved")
    (run / "gallery.html").unlink()
    for name in ("cat", "dog"):
        code, _, err = main("categories", run, "--name", f"1={name}")
        assert code == 0, err
    assert (run / "gallery.html").read_bytes() == before

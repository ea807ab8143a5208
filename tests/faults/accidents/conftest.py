"""What the accidents share: the command line, a model it has fitted, and a run of that.

Nothing here imports the package: the tests run the sources that PYTHONPATH names, so that they can
be shown to fail on earlier ones; `tools/accidents.py` does so.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
Photo = Callable[[int, str], Path]
Once = Callable[[str, Callable[[Path], object]], Path]

HEAD = {"groups": 4, "blocks": 1, "heads": 2, "width": 16}
TRAINING = {"batch": 6, "checkpoint_every": 60, "learning_rate": 1e-2}
WIDE, HIGH, SQUARE = (96, 64), (64, 96), (80, 80)
"""Sizes of the first three photos."""
STEM = "holiday pictures of a very long summer by the sea, with all of its days and of its evenings"
"""Name of one photo of the run, too long for a column of a table."""


@pytest.fixture(scope="session")
def fit_options(once: Once, encoder_folder: Path) -> list[object]:
    """Options of a fit that takes a second."""

    def make(folder: Path) -> None:
        text = json.dumps({"head": HEAD, "fit": TRAINING})
        (folder / "settings.json").write_text(text)

    settings = once("black-box-settings", make) / "settings.json"
    return [
        "--encoder", encoder_folder, "--resolution", 64, "--cues", "colour", "--cues", "boundary",
        "--prior", "boundary", "--steps", 60, "--settings", settings, "--precision", "fp32",
    ]  # fmt: skip


@pytest.fixture(scope="session")
def model(once: Once, run_heap: Command, photos: Path, fit_options: list[object]) -> Path:
    """A model that `heap fit` has written; not to be changed."""

    def make(folder: Path) -> None:
        done = run_heap("fit", photos, "--out", folder / "model", *fit_options)
        assert done.returncode == 0, done.stderr

    return once("black-box-model", make) / "model"


@pytest.fixture(scope="session")
def original(once: Once, run_heap: Command, photos: Path, model: Path) -> Path:
    """A folder with `run` and its `photos`; not to be changed."""

    def make(folder: Path) -> None:
        shutil.copytree(photos, folder / "photos")
        (folder / "photos" / "00.png").rename(folder / "photos" / f"{STEM}.png")
        done = run_heap(
            "discover", folder / "photos", "--model", model, "--out", folder / "run",
            "--precision", "fp32",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        done = run_heap("categories", folder / "run", "--k", 4)
        assert done.returncode == 0, done.stderr

    return once("black-box-run", make)


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy of the run, sorted into four categories."""
    return Path(shutil.copytree(original / "run", tmp_path / "run"))


@pytest.fixture
def photo(photos: Path, tmp_path: Path) -> Photo:
    """Puts one of the photos where it is wanted, below the folder of the test."""

    def put(number: int, name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(photos / f"{number:02d}.png", path))

    return put


@pytest.fixture
def discover(run_heap: Command, model: Path, tmp_path: Path) -> Command:
    """Runs `heap discover`, by default into `run` in the folder of the test."""

    def discover(*arguments: object, out: str = "run", **more: Any) -> Any:
        line = [*arguments, "--model", model, "--out", out, "--no-refine", "--precision", "fp32"]
        return run_heap("discover", *line, **{"cwd": tmp_path, "timeout": 120, **more})

    return discover


def images_of(run: Path) -> list[dict[str, Any]]:
    """The images in the COCO file of a run."""
    images: list[dict[str, Any]] = json.loads((run / "objects.json").read_bytes())["images"]
    return images


def sizes_of(run: Path) -> list[tuple[int, int]]:
    """Width and height of each image, in order of the sizes."""
    return sorted((image["width"], image["height"]) for image in images_of(run))


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }

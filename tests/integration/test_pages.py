"""Python of the README, of the first five minutes and of how to add runs as it stands there."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]


def python_of(page: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(python: list[str], blocks: list[str], folder: Path) -> None:
    (folder / "example.py").write_text("\n".join(blocks), "utf-8")
    command = [*python, "example.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_first_lines_of_python_run(python: list[str], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("cat", "dog"):
        shutil.copy(ROOT / "demo" / "photos" / f"{name}.jpg", tmp_path / "photos")
    blocks = [*python_of("README.md"), *python_of("docs/start.md")]
    assert len(blocks) == 2
    run(python, blocks, tmp_path)
    file = tmp_path / "dataset" / "annotations" / "instances_default.json"
    annotations = json.loads(file.read_text("utf-8"))
    assert len(annotations["images"]) == 2


QUICK = {
    "discover": ["--model", "embedded-small"],
    "fit": ["--encoder", "embedded-small", "--steps", "20"],
}
"""Options that let a command of the README take seconds."""


def test_the_commands_of_the_readme_run(python: list[str], tmp_path: Path) -> None:
    (tmp_path / "PHOTOS").mkdir()
    for name in ("cat", "dog", "flower"):
        shutil.copy(ROOT / "demo" / "photos" / f"{name}.jpg", tmp_path / "PHOTOS")
    text = (ROOT / "README.md").read_text("utf-8")
    lines = re.findall(r"^heap (.*?)(?:\s+#.*)?$", text, re.MULTILINE)
    assert len(lines) > 7
    for line in lines:
        command, *options = shlex.split(line)
        if command == "serve":
            continue  # it does not end; tests/unit/serving has it
        arguments = [*python, "-m", "heap", command, *options, *QUICK.get(command, ())]
        done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_the_examples_of_how_to_add_run(python: list[str], tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    for name in ("cat", "dog"):
        shutil.copy(ROOT / "demo" / "photos" / f"{name}.jpg", tmp_path / "photos" / "images")
        with Image.open(ROOT / "demo" / "masks" / f"{name}.png") as labels:
            mask = np.where(np.asarray(labels) > 0, np.uint8(255), np.uint8(0))
        Image.fromarray(mask).save(tmp_path / "photos" / "masks" / f"{name}.png")
    blocks = python_of("docs/adding.md")
    assert len(blocks) == 6
    run(python, blocks, tmp_path)
    assert len(list((tmp_path / "results").iterdir())) == 2

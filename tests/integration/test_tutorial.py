"""The tutorials of the documentation do what they say.

`docs/tutorial.md` is run block by block, in order, in a folder that has nothing but `demo/photos`:
`sh` by bash, `python` as scripts. A `text` block is what the block before it prints, where `...`
stands for any words and white space does not count. Commands in `console` blocks are only parsed.

`docs/tutorial.ipynb` and `docs/python.ipynb` are run by `tools/run_notebook.py`, which also
refreshes their outputs.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from heap.cli import app

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
NOTEBOOKS = [ROOT / "docs" / "tutorial.ipynb", ROOT / "docs" / "python.ipynb"]
RUN_NOTEBOOK = ROOT / "tools" / "run_notebook.py"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = {"sh", "python"}
"""Languages of the blocks that are run."""
MOST_BYTES = 600_000


@dataclass(frozen=True)
class Block:
    """A fenced block of the tutorial."""

    language: str
    content: str
    line: int


def blocks() -> list[Block]:
    text = TUTORIAL.read_text(encoding="utf-8")
    return [
        Block(each[1], each[2], text.count("\n", 0, each.start()) + 1)
        for each in FENCE.finditer(text)
    ]


def environment() -> dict[str, str]:
    """That of this process, with the programs of its Python, and a terminal of 120 columns."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": programs, "COLUMNS": "120"}


def test_blocks_of_the_tutorial_do_what_it_says(python: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "tutorial"
    shutil.copytree(ROOT / "demo" / "photos", folder / "demo" / "photos")
    program = tmp_path / "heap"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(python)} -m heap "$@"\n')
    program.chmod(0o755)
    about = environment()
    about["PATH"] = os.pathsep.join([str(tmp_path), about["PATH"]])
    runners = {"sh": ["bash", "-e", "-u", "-c"], "python": [*python, "-c"]}
    printed = ""
    for block in blocks():
        where = f"{TUTORIAL.name}, line {block.line}"
        if block.language == "text":
            assert is_what_was_said(printed, block.content), f"{where}:\n{printed}"
        elif block.language in runners:
            done = subprocess.run(
                [*runners[block.language], block.content],
                cwd=folder,
                env=about,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            printed = done.stdout
            assert done.returncode == 0, f"{where}:\n{printed}"


def is_what_was_said(printed: str, said: str) -> bool:
    words = ["( .*)?" if word == "..." else re.escape(f" {word}") for word in said.split()]
    return re.fullmatch("".join(words), "".join(f" {word}" for word in printed.split())) is not None


def test_every_block_of_the_tutorial_is_tested() -> None:
    found = [block.language for block in blocks()]
    assert set(found) == {*RUN, "text", "console"}
    assert all(before in RUN for before, after in pairwise(found) if after == "text")


def test_commands_that_are_not_run_are_understood() -> None:
    lines = [
        line
        for block in blocks()
        if block.language == "console"
        for line in block.content.splitlines()
    ]
    assert lines
    for line in lines:
        prompt, program, *arguments = shlex.split(line)
        assert (prompt, program) == ("$", "heap")
        app.parse_args(arguments, exit_on_error=False, print_error=False)


@pytest.mark.parametrize(
    "path", [TUTORIAL, ROOT / "docs" / "python.md", *NOTEBOOKS], ids=lambda path: path.name
)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = set(re.findall(r"\]\(([^)#:]+)", text))
    assert links
    assert not [link for link in links if not (path.parent / link).exists()]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs_and_has_its_outputs(notebook: Path, tmp_path: Path) -> None:
    fresh = tmp_path / notebook.name
    done = subprocess.run(
        [sys.executable, RUN_NOTEBOOK, notebook, "--out", fresh],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert shown(notebook) == shown(fresh)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_of_the_notebook_are_those_of_one_small_run(notebook: Path) -> None:
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert notebook.stat().st_size < MOST_BYTES
    assert any("image/jpeg" in kind for kinds in shown(notebook) for kind in kinds)


def shown(notebook: Path) -> list[list[str]]:
    """What kinds of output each cell has, in order."""
    return [
        [each.get("name") or ", ".join(sorted(each["data"])) for each in cell["outputs"]]
        for cell in code_cells(notebook)
    ]


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]

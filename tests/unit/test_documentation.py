"""The pages of the documentation agree with the program: commands, links, messages."""

import ast
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
import yaml

from heap.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOST_CHARACTERS = 8_000
"""A README that is read in three minutes: 200 words a minute and a table."""


def commands(page: Path) -> list[list[str]]:
    """Arguments of `heap` in the blocks of a page, up to where a shell takes its output."""
    blocks = [each[2] for each in FENCE.finditer(page.read_text("utf-8")) if each[1] == "sh"]
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    starts = (re.sub(r"\s#.*", "", line) for line in lines if re.match(r"heap\s", line))
    split = (shlex.split(line) for line in starts)
    return [list(takewhile(lambda word: word not in "|>;&", words))[1:] for words in split]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_understood(page: Path) -> None:
    for arguments in commands(page):
        app.parse_args(arguments, exit_on_error=False, print_error=False)


def test_there_are_commands_to_understand() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    text = FENCE.sub("", page.read_text("utf-8"))
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    assert not [link for link in links if not (page.parent / link).exists()]


def test_the_readme_is_read_in_three_minutes() -> None:
    assert len((ROOT / "README.md").read_text("utf-8")) < MOST_CHARACTERS


def test_the_reference_is_what_the_program_says(python: list[str]) -> None:
    command = [*python, str(ROOT / "tools" / "reference"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_message_of_the_troubleshooting_is_one_of_ours() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    messages = re.findall(r"^### `(.*)`$", text, re.MULTILINE)
    said = "\n".join(texts())
    assert len(messages) > 25
    assert not [each for each in messages if not all(part in said for part in parts(each))]


def parts(message: str) -> list[str]:
    """Parts of a message between the values in it."""
    return [part for part in re.split(r"\s*…\s*", message) if len(part) > 1]


def texts() -> Iterator[str]:
    """Texts of the package, with values in them left out."""
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr | ast.Constant):
                pieces = node.values if isinstance(node, ast.JoinedStr) else [node]
                yield "…".join(str(each.value) for each in pieces if isinstance(each, ast.Constant))


def test_there_is_one_version() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    changes = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert changes[0] == citation["version"] == stated
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    assert f'"{stated}"' not in sources


def test_issues_ask_for_what_doctor_says() -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text("utf-8"))
    needed = [part for part in form["body"] if part.get("validations", {}).get("required")]
    assert any("heap doctor --json" in part["attributes"]["label"] for part in needed)

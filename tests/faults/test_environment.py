"""Machines that differ: locales, hash seeds, extras that are not installed, versions."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from runs import make_run, ring, sort_into

ROOT = Path(__file__).parents[2]
WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from heap.cli import main
main()
"""


@pytest.mark.fault("F35")
@pytest.mark.parametrize("kind", ["coco", "csv"])
def test_f35_other_locales_clocks_and_hash_seeds_give_the_same_bytes(
    tmp_path: Path, kind: str
) -> None:
    names = ["Iıİi.png", "ß.png", "1,5.png"]
    run = make_run(tmp_path, {name: [ring((60, 80), (30, 40), 12, 4)] for name in names})
    sort_into(run, {1: "İstanbul", 2: "ılık"}, {f"{names[0]}#0": 1, f"{names[1]}#0": 2})
    written = []
    for seed, place, zone in (("1", "tr_TR.UTF-8", "Asia/Kathmandu"), ("2", "de_DE.UTF-8", "UTC")):
        out = tmp_path / place
        about = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": place, "TZ": zone}
        options = ["--format", kind, "--categories", "--out", str(out)]
        command = [sys.executable, "-m", "heap", "export", str(run), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=about)
        assert done.returncode == 0, done.stderr
        files = sorted(path for path in out.rglob("*") if path.is_file())
        written.append({path.relative_to(out): path.read_bytes() for path in files})
    assert written[0] == written[1]
    assert written[0]


@pytest.mark.fault("F50")
def test_f50_without_its_extra_the_application_says_how_to_install_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT, "uvicorn", "serve", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == (
        "heap: heap serve needs uvicorn, which is not installed: pip install 'heap[serve]'\n"
    )


@pytest.mark.fault("F51")
def test_f51_every_dependency_has_a_lowest_version_that_what_runs_here_keeps() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    for text in (*project["dependencies"], *extras["eval"], *extras["serve"]):
        needed = Requirement(text)
        assert {each.operator for each in needed.specifier} == {">="}, text
        assert needed.specifier.contains(version(needed.name), prereleases=True), text
    assert Requirement(f"python{project['requires-python']}").specifier.contains(
        ".".join(map(str, sys.version_info[:3]))
    )

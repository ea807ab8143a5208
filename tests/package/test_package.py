"""Wheel and sdist: the same bytes each time, complete, and of use without the checkout."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NAME = f"{PROJECT['name']}-{PROJECT['version']}"


def build(source: Path, out: Path) -> tuple[Path, Path]:
    """Build wheel and sdist of a source tree, by the build backend itself and without network."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(out)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)
    return out / f"{NAME}-py3-none-any.whl", out / f"{NAME}.tar.gz"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def test_the_sdist_gives_the_same_bytes(built: tuple[Path, Path], tmp_path: Path) -> None:
    with tarfile.open(built[1]) as archive:
        archive.extractall(tmp_path, filter="data")
    again = build(tmp_path / NAME, tmp_path / "dist")
    for first, second in zip(built, again, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_the_wheel_has_the_package_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(
        ["git", "ls-files", "src"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert names == {path.removeprefix("src/") for path in tracked.stdout.splitlines()}


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel, and the dependencies that are here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    inside = next(folder.glob("lib*/**/site-packages"))
    # Files of paths in a folder that is named so are not read: the editable install stays outside.
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (inside / "dependencies.pth").write_text("\n".join(ours), "utf-8")
    command = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install"]
    command += ["--quiet", "--no-deps", "--no-index", "--ignore-installed", str(built[0])]
    subprocess.run(command, check=True)
    return programs


def run(
    installed: Path, folder: Path, *command: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment, which sees nothing of the checkout."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | more
    return subprocess.run(
        [str(installed / command[0]), *command[1:]],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_runs_the_main_job_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "demo" / "photos" / "cat.jpg", tmp_path)
    where = run(installed, tmp_path, "python", "-c", "import heap; print(heap.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(installed.parent), where.stderr
    done = run(installed, tmp_path, "heap", "discover", "cat.jpg", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "objects.json").read_text("utf-8"))["annotations"]


def test_the_version_is_that_of_the_project(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "heap", "--version").stdout.strip() == PROJECT["version"]


CLUSTER = """
import atexit, os
atexit.register(lambda: print("usage stats:", os.environ["RAY_USAGE_STATS_ENABLED"]))
from heap.cli import main
main()
"""


def test_it_starts_a_cluster_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the packages of heap[ray] are not installed")
    for name in ("cat.jpg", "dog.jpg"):
        shutil.copy(ROOT / "demo" / "photos" / name, tmp_path)
    # Its ports are open to the network of this machine, which may be busy.
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_raylet_start_wait_time_s": "300",
    }
    command = ["discover", "cat.jpg", "dog.jpg", "--model", "embedded-small", "--engine", "ray"]
    done = run(
        installed, tmp_path, "python", "-c", CLUSTER, *command, "--out", "run", **environment
    )
    assert done.returncode == 0, done.stderr
    assert "usage stats: 0" in done.stdout  # which Ray collects where nobody says no
    assert len(json.loads((tmp_path / "run" / "objects.json").read_text("utf-8"))["images"]) == 2


def test_the_dockerfile_is_without_a_fault() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout

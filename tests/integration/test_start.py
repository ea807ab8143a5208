"""What a command must not import: a start that is slow is slow for every use of it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runs import make_run, sort_into

MODELS = {"torch", "transformers", "accelerate"}
NUMBERS = {"scipy.stats", "scipy.optimize", "sklearn", "matplotlib", "supervision"}
STORE = {"lancedb", "pyarrow"}
CLIENTS = {"lance_namespace_urllib3_client.api"}
"""Requests to a web service that nobody asks for."""
PARSER = {"sqlglot"}
"""Reader of conditions, for searches that have one."""

WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""Variables that say how threads of OpenMP wait for each other."""

LISTING = """
import atexit, gc, sys
atexit.register(lambda: print("imported:", *sys.modules, file=sys.stderr))
from heap.__main__ import main
main()
"""
LOOKING = LISTING.replace(
    '"imported:", *sys.modules', '"looked:", gc.get_stats()[0]["collections"]'
)


def imported(*arguments: object) -> set[str]:
    """The modules that a command has imported when it ends well."""
    command = [sys.executable, "-c", LISTING, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr.splitlines()[-5:]
    return set(done.stderr.rpartition("imported: ")[2].split())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    half = np.zeros((60, 80), dtype=bool)
    half[10:30, 20:60] = True
    run = make_run(tmp_path_factory.mktemp("start"), {"a": [half], "b": [half, ~half]})
    sort_into(run, {1: "thing"}, {"a#0": 1, "b#0": 1, "b#1": 1})
    return run


@pytest.mark.fault("F50")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"], ["discover", "--help"], ["fit", "--help"], ["search", "--help"],
        ["models"], ["--version"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_only_tells_imports_nothing_that_computes(arguments: list[str]) -> None:
    assert not imported(*arguments) & (MODELS | NUMBERS | STORE)


@pytest.mark.parametrize(
    "arguments", [["search", "--object", "b#0"], ["categories"], ["inspect"]], ids=lambda a: a[0]
)
def test_a_run_is_opened_without_what_makes_one(arguments: list[str], run: Path) -> None:
    command, *options = arguments
    modules = imported(command, run, *options)
    assert "lancedb" in modules
    assert not modules & (MODELS | NUMBERS | CLIENTS | PARSER)


def test_garbage_is_looked_for_seldom_while_modules_come(run: Path) -> None:
    command = [sys.executable, "-c", LOOKING, "categories", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stderr.rpartition("looked: ")[2]) < 100  # 300 and more as Python has it


def test_the_small_model_loads_no_transformer(photos: Path, tmp_path: Path) -> None:
    command = [
        "discover",
        photos / "00.png",
        "--encoder",
        "embedded-small",
        "--out",
        tmp_path / "r",
    ]
    modules = imported(*command)
    assert "torch" in modules
    assert not modules & PARSER
    networks = {name for name in modules if name.startswith("transformers.models")}
    assert "transformers.models.resnet.modeling_resnet" in networks
    assert not [name for name in networks if "_vit" in name or "dinov" in name]


def test_who_needs_the_clients_of_the_database_gets_them_whole() -> None:
    code = (
        "import sys, heap.store.lance, lance_namespace_urllib3_client as clients\n"
        "assert clients.models.QueryTableRequest\n"
        "assert 'lance_namespace_urllib3_client.api' not in sys.modules\n"
        "assert clients.TableApi.__module__ == 'lance_namespace_urllib3_client.api.table_api'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [({}, "10000 None"), ({"GOMP_SPINCOUNT": "7"}, "7 None"),
     ({"OMP_WAIT_POLICY": "active"}, "None active")],
    ids=["nothing", "spins", "policy"],
)  # fmt: skip
def test_threads_that_wait_sleep_soon_unless_the_user_says_how(
    asked: dict[str, str], expected: str
) -> None:
    usual = {name: value for name, value in os.environ.items() if name not in WAITING}
    code = f"import heap, os; print(*map(os.environ.get, {WAITING}))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=usual | asked, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected

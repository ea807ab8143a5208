"""Plant faults in the code, one at a time, and see which of them the tests catch.

python tools/mutants.py [--count 200] [--survivors]

The result, `tools/mutants.json`, has a line for every fault: the change, and the first test that
failed, or `null`. A person says in `why` of a survivor that no test can catch it; that stays when
the fault is tried again. What is there is not tried again, so that a run can be stopped and go on;
with `--survivors` those without a test are. The sources are copied before, the tests are not: leave
them as they are while it runs.

The tools that others keep do not fit: they start an interpreter for every fault, which takes
seconds to import torch, or they import the package twice in a process, which the check of shapes
refuses; and none tries a sample.
"""

import ast
import contextlib
import functools
import gc
import importlib
import json
import math
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import cyclopts
import pytest
from counts import Graph, imports
from mutations import Mutant, sample

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "tools" / "mutants.json"
ROOMS = ("benchmark/metrics", "masks", "model", "categories")
"""Folders of the package in which faults are planted."""
TESTS = ("tests/unit", "tests/oracle")
NEAREST, WIDER = 3, 4
"""Files of tests that see a fault, and those that see it if the first have not caught it."""
HANGING = 5
"""A fault has made tests hang, which is caught, if they take so many times as long as usual."""
LONGEST = 1000
"""Seconds of processor time that they may take without one."""
BYTES = 8 * 2**30
"""Memory that they may take."""
IMPORTED = ("torch", "scipy.ndimage", "pandas", "hypothesis", "torchmetrics", "skimage.draw")
"""Slow imports of the tests, beside those of the package."""
UNUSED = ("schemathesis.pytest.plugin",)
"""Plugin of pytest that the tests do not load."""
OPTIONS = ("-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Of pytest; a plugin is among what is imported before."""
PASSED, HANGS, CRASHES = "passed", "hangs", "crashes"

Row = dict[str, Any]


def main(*, count: int = 200, seed: int = 0, survivors: bool = False, only: str = "") -> None:
    """Try faults, and write what became of them.

    Args:
        count: How many, evenly over the modules.
        seed: Of the sample.
        survivors: Try those again that no test has caught.
        only: Of modules whose path begins so, such as `heap/masks`.
    """
    sources = ROOT / "src"
    files = [path.relative_to(sources).as_posix() for room in ROOMS
             for path in sorted((sources / "heap" / room).rglob("*.py"))]  # fmt: skip
    mutants, known = sample(sources, files, count, seed), read()
    rows = [known.get(mutant.key, {}) | about(mutant) for mutant in mutants]
    waiting = [(mutant, row) for mutant, row in zip(mutants, rows, strict=True)
               if mutant.file.startswith(only)
               and ("caught" not in row or (survivors and not row["caught"]))]  # fmt: skip
    # Module by module, in the order of the rooms.
    waiting.sort(key=lambda pair: files.index(pair[0].file))
    graph = imports(sources)
    paths = [path for folder in TESTS for path in sorted((ROOT / folder).rglob("test_*.py"))]
    tests = {path: used_by(path) & graph.keys() for path in paths}
    lists = {file: nearest(file, graph, tests) for file in {mutant.file for mutant, _ in waiting}}
    with copied(sources) as copy:
        warm()
        # What the nearest tests have not caught comes last: all others are known by then.
        for wide in (False, True):
            for number, (mutant, row) in enumerate(waiting, 1):
                listed = lists[mutant.file][wide]
                if row.setdefault("caught", None) is None and listed:
                    seconds = HANGING * usual_seconds(listed)
                    with planted(copy / mutant.file, mutant.text, number + wide * len(waiting)):
                        row["caught"] = first_failure(listed, seconds)
                    write([row for row in rows if "caught" in row])
                    end = row["caught"] or f"SURVIVES\n  {mutant.before}\n  {mutant.after}"
                    sys.stdout.write(f"{number}/{len(waiting)} {mutant.file}:{mutant.line} {end}\n")
                    sys.stdout.flush()


def about(mutant: Mutant) -> Row:
    """Row of a fault, without what became of it."""
    return {
        "file": mutant.file, "line": mutant.line, "kind": mutant.kind,
        "before": mutant.before, "after": mutant.after,
    }  # fmt: skip


def read() -> dict[tuple[str, str, str], Row]:
    """Rows of an earlier run by what names their fault."""
    if not RESULT.exists():
        return {}
    rows = json.loads(RESULT.read_text(encoding="utf-8"))["mutants"]
    return {(row["file"], row["before"], row["after"]): row for row in rows}


def write(rows: list[Row]) -> None:
    """Write rows and their summary."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    summary = json.dumps(summarised(rows))
    text = f'{{"summary": {summary},\n"mutants": [\n{lines}\n]}}\n'
    fresh = RESULT.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(RESULT)


def summarised(rows: list[Row]) -> dict[str, int]:
    """Number of the faults, and how they ended."""
    ends = Counter("caught" if row["caught"] else "equivalent" if row.get("why") else "left"
                   for row in rows)  # fmt: skip
    return {"mutants": len(rows)} | {end: ends[end] for end in ("caught", "equivalent", "left")}


def nearest(
    file: str, graph: Graph, tests: dict[Path, set[str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files of tests that are nearest to a module by what they import, and the next ones.

    Of equally near ones first those that are named like the module, or lie in a folder of its room.
    """
    place = Path(file)
    distance = {".".join(place.with_suffix("").parts): 0}
    waiting = list(distance)
    for module in waiting:
        users = [user for user, used in graph.items() if module in used and user not in distance]
        distance |= dict.fromkeys(users, distance[module] + 1)
        waiting += users
    ranked = []
    for path, used in tests.items():
        test = path.relative_to(ROOT)
        if steps := [distance[module] for module in used if module in distance]:
            strange = place.stem not in test.stem, not {*test.parts} & {*place.parts}
            ranked.append((min(steps), *strange, str(test)))
    order = tuple(test for *_, test in sorted(ranked))
    return order[:NEAREST], order[NEAREST : NEAREST + WIDER]


def used_by(test: Path) -> set[str]:
    """Modules that a test imports, and names in them."""
    used = set[str]()
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            used |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return used


@contextlib.contextmanager
def copied(sources: Path) -> Iterator[Path]:
    """A copy of the sources in a folder of its own, which this process and its children import."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder) / "src"
        shutil.copytree(sources, copy, ignore=shutil.ignore_patterns("__pycache__"))
        sys.path[:0] = [str(copy), str(ROOT)]
        os.environ |= {
            "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": f"{folder}/hypothesis", "TMPDIR": folder,
        }  # fmt: skip
        tempfile.tempdir = folder
        yield copy


@contextlib.contextmanager
def planted(path: Path, text: str, number: int) -> Iterator[None]:
    """A file with another text, and with a time of its own: compiled files are told apart by it."""
    before = path.read_bytes()
    path.write_text(text, encoding="utf-8")
    os.utime(path, (number, number))
    try:
        yield
    finally:
        path.write_bytes(before)


def warm() -> None:
    """Import what takes long, but nothing of the package, and nothing that starts threads."""
    sys.path.insert(0, str(ROOT / "tests"))
    from forking_server import THIRD_PARTY

    plugins = [entry.module for entry in entry_points(group="pytest11")]
    for name in (*IMPORTED, *THIRD_PARTY, *(name for name in plugins if name not in UNUSED)):
        importlib.import_module(name)
    sys.path.pop(0)
    # What is compiled from now on is of use to all children, and to nobody else.
    sys.dont_write_bytecode, sys.pycache_prefix = False, tempfile.mkdtemp()
    # A collection in a child would copy all of this.
    gc.collect()
    gc.freeze()


@functools.cache
def usual_seconds(tests: tuple[str, ...]) -> int:
    """Processor time of tests without a fault, rounded up; ends all if one of them fails."""
    before = sum(os.times()[2:4])
    if failed := first_failure(tests, LONGEST):
        output = Path(tempfile.gettempdir(), "output.txt").read_text(encoding="utf-8")
        sys.exit(f"{output[-5000:]}\n{failed} without a fault")
    return math.ceil(sum(os.times()[2:4]) - before)


def first_failure(tests: tuple[str, ...], seconds: int) -> str | None:
    """First test that fails, or how the tests ended otherwise; None if all pass."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _run(tests, writer, seconds)
        finally:
            os._exit(1)
    os.close(writer)
    # Other work on the machine takes its part of the time.
    ready = select.select([reader], [], [], 5 * seconds)[0]
    failed = os.read(reader, 4096).decode() if ready else HANGS
    os.close(reader)
    with contextlib.suppress(ProcessLookupError):
        # Whatever the tests have started, too.
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if failed:
        return None if failed == PASSED else failed
    return HANGS if os.waitstatus_to_exitcode(status) == -signal.SIGXCPU else CRASHES


def _run(tests: tuple[str, ...], writer: int, seconds: int) -> None:
    os.setsid()
    # Ignored in what runs in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    streams = os.open(os.environ["TMPDIR"] + "/output.txt", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for stream in (0, 1, 2):
        os.dup2(streams, stream)
    watcher = Watcher()
    folder = tempfile.mkdtemp()
    status = pytest.main([*tests, *OPTIONS, "--basetemp", f"{folder}/pytest"], plugins=[watcher])
    shutil.rmtree(folder, ignore_errors=True)
    os.write(writer, (watcher.failed or (f"pytest: {status}" if status else PASSED)).encode())


class Watcher:
    """Plugin of pytest that takes down the first failure, and lets no time go into shrinking it."""

    failed = ""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        """Let Hypothesis draw the same for every fault, and end at the first failure."""
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)
        usual = settings.get_profile("heap")
        settings.register_profile("mutants", usual, derandomize=True, database=None, phases=phases)
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take down a test."""
        if report.failed:
            self.failed = self.failed or report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take down a file that cannot be imported."""
        if report.failed:
            self.failed = self.failed or report.nodeid


if __name__ == "__main__":
    os.chdir(ROOT)
    cyclopts.run(main)

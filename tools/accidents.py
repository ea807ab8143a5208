"""Run the tests of accidents and ways in on an earlier commit, and on this tree.

Usage: python tools/accidents.py [--all]; writes tools/accidents.json, of which `tools/faults.py`
makes a table. Tests that are as they were when they were last run are not run again, unless --all
is given, as after a change of what they share. The tests use only what both versions have, and
PYTHONPATH says whose sources they run.

A test says what it shows by a mark, `@pytest.mark.accident(POINT, "What happened")` or
`@pytest.mark.way(POINT, "What could not be done")`, which is read from its source; the points are
those of tools/faults.toml.
"""

import ast
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

ROOT = Path(__file__).resolve().parents[1]
COMMIT = "0b5e815"
"""Where the accidents happened."""
OUTCOMES = ROOT / "tools" / "accidents.json"
MARKS = {"pytest.mark.accident": "accident", "pytest.mark.way": "way"}


@dataclass(frozen=True)
class Accident:
    """A test, what it shows, and a digest of its source."""

    kind: str
    point: int
    text: str
    path: str
    test: str
    source: str

    @property
    def name(self) -> str:
        """Name of the test for pytest."""
        return f"{self.path}::{self.test}"


def main(arguments: list[str]) -> int:
    """Run the tests on both trees and note how they ended."""
    marked, noted = list(accidents(ROOT / "tests")), known()
    wanted = [
        accident
        for accident in marked
        if "--all" in arguments or noted.get(accident.name, {}).get("source") != accident.source
    ]
    if wanted:
        with tempfile.TemporaryDirectory() as folder:
            archive = subprocess.run(  # noqa: S603
                ["git", "archive", COMMIT, "src"],  # noqa: S607
                cwd=ROOT, check=True, capture_output=True,
            ).stdout  # fmt: skip
            with tarfile.open(fileobj=io.BytesIO(archive)) as sources:
                sources.extractall(folder, filter="data")
            then = run(wanted, Path(folder) / "src")
        now = run(wanted, ROOT / "src")
        for accident in wanted:
            noted[accident.name] = {
                "source": accident.source,
                "then": outcome(then[accident.name]),
                "now": outcome(now[accident.name]),
                "said": said(then[accident.name]),
            }
    outcomes = {accident.name: noted[accident.name] for accident in marked}
    text = json.dumps({"commit": COMMIT, "tests": outcomes}, indent=1, ensure_ascii=False)
    OUTCOMES.write_text(text + "\n", encoding="utf-8")
    for name, ended in outcomes.items():
        if (ended["then"], ended["now"]) != ("failed", "passed"):
            sys.stderr.write(f"{name}: {ended['then']} then, {ended['now']} now\n")
    return 0


def accidents(folder: Path) -> Iterator[Accident]:
    """Marked tests below a folder, in the order of kinds, points, files and lines."""
    marked = []
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            marks = [mark for mark in node.decorator_list if is_mark(mark)]
            node.decorator_list = [mark for mark in node.decorator_list if mark not in marks]
            source = hashlib.sha256(ast.dump(node).encode()).hexdigest()[:16]
            for mark in marks:
                point, text = map(ast.literal_eval, mark.args)
                place = path.relative_to(folder.parent).as_posix()
                kind = MARKS[ast.unparse(mark.func)]
                marked.append(Accident(kind, point, text, place, node.name, source))
    yield from sorted(marked, key=lambda accident: (accident.kind, accident.point))


def is_mark(decorator: ast.expr) -> TypeGuard[ast.Call]:
    """Whether a decorator says what a test shows."""
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in MARKS


def run(marked: list[Accident], sources: Path) -> dict[str, list[str | None]]:
    """Run the tests on these sources; messages of their failures, None for one that passed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(  # noqa: S603
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2", "--dist",
             "loadfile", "-o", "junit_family=xunit1", f"--junitxml={report}", "--tb=line",
             *(accident.name for accident in marked)],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(sources)}, check=False,
        )  # fmt: skip
        cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - pytest's own
        messages: dict[str, list[str | None]] = defaultdict(list)
        for case in cases:
            failure = next((part for part in case if part.tag in ("failure", "error")), None)
            if not any(part.tag == "skipped" for part in case):
                message = None if failure is None else failure.get("message", "")
                messages[f"{case.get('file')}::{case.get('name', '').split('[')[0]}"].append(
                    message
                )
    return messages


def outcome(messages: list[str | None]) -> str:
    """End of all the cases of a test, in a word."""
    failures = [message for message in messages if message is not None]
    if not messages:
        return "not run"
    if not failures:
        return "passed"
    return "failed" if len(failures) == len(messages) else "failed in part"


def said(messages: list[str | None]) -> list[str]:
    """First lines of the failures, each once."""
    # Places on the machine are of no interest to others.
    lines = [
        re.sub(r"(/[\w.+-]+)+/", "", message.splitlines()[0])[:120]
        for message in messages
        if message
    ]
    return list(dict.fromkeys(lines))


def known() -> dict[str, dict[str, Any]]:
    """The noted outcomes by the names of tests."""
    if not OUTCOMES.is_file():
        return {}
    noted: dict[str, dict[str, Any]] = json.loads(OUTCOMES.read_text(encoding="utf-8"))["tests"]
    return noted


def problems(marked: list[Accident], points: dict[str, int]) -> Iterator[str]:
    """Problems between points of each kind, tests and their noted outcomes."""
    noted = known()
    for kind, count in points.items():
        shown = {accident.point for accident in marked if accident.kind == kind}
        yield from (f"no {kind} is marked {point}" for point in range(1, count + 1)
                    if point not in shown)  # fmt: skip
        yield from (f"{kind}: there is no point {point}" for point in sorted(shown)
                    if point > count)  # fmt: skip
    for accident in marked:
        ended = noted.get(accident.name)
        if ended is None or ended["source"] != accident.source:
            yield f"{accident.name} is not as it was run; run python tools/accidents.py"
        elif (ended["then"], ended["now"]) != ("failed", "passed"):
            yield f"{accident.name} {ended['then']} then, {ended['now']} now"
    names = {accident.name for accident in marked}
    yield from (f"{name} is gone; run python tools/accidents.py" for name in noted.keys() - names)


def table(marked: list[Accident]) -> str:
    """The accidents with their tests and how these ended."""
    lines = [
        f"## Accidents of {COMMIT}\n",
        "What happened at that commit, by the numbers of the table above. Each test runs commands, "
        "servers and files, and nothing that one of the two versions lacks; `python "
        "tools/accidents.py` runs all of them on the sources of both.\n",
        f"| | what happened | test | at {COMMIT} | now |",
        "|---|---|---|---|---|",
        *rows(marked, "accident"),
    ]
    return "\n".join([*lines, ""])


def ways(marked: list[Accident], points: list[dict[str, Any]]) -> str:
    """Ways that could not be gone, with tests and how these ended, and those without a test."""
    lines = [
        f"## Ways in at {COMMIT}\n",
        "What users of Python, notebooks, other tools and other hosts could not do at that commit, "
        "shown in the same way. Programs write what both versions have; a missing option, function "
        "or format is tried as it is written now.\n",
        "| | way in | without such a test, and why |",
        "|---|---|---|",
        *(f"| {number} | {point['way']} | {'<br>'.join(point['without'])} |"
          for number, point in enumerate(points, 1)),
        "",
        f"| | what could not be done | test | at {COMMIT} | now |",
        "|---|---|---|---|---|",
        *rows(marked, "way"),
    ]  # fmt: skip
    return "\n".join([*lines, ""])


def rows(marked: list[Accident], kind: str) -> Iterator[str]:
    """Lines of a table of one kind."""
    noted = known()
    for accident in marked:
        if accident.kind == kind:
            ended = noted.get(accident.name, {"then": "", "now": ""})
            test = f"[{accident.test}](../{accident.path})"
            yield (f"| {accident.point} | {accident.text} | {test} | {ended['then']} | "
                   f"{ended['now']} |")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

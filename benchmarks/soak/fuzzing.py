"""The fuzzers of tests/faults, each for its share of the time and with other examples each time."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.common import CACHES
from benchmarks.report import rows_by
from benchmarks.soak.rows import Row, Rows

AREAS = ("images", "texts", "store", "api", "cli")
_AT_ONCE = {"images": 5, "texts": 10, "store": 10, "api": 5, "cli": 1}
"""Examples in the first call of a fuzzer; the next ones take about `_CALL` seconds."""
_CALL = 240.0
_HANGS = 1800
"""Seconds that no test may take: then something hangs."""
_EXAMPLES = re.compile(r"(\d+) examples were tried")


def fuzz(minutes: float, rows: Rows, temporary: Path, seed: int) -> None:
    """Fuzz for so long in all."""
    share = 60 * minutes / len(AREAS)
    temporary.mkdir(parents=True, exist_ok=True)
    while True:
        spent = {area: sum(row["seconds"] for row in rows.all if row["area"] == area)
                 for area in AREAS}  # fmt: skip
        area = min(AREAS, key=lambda name: spent[name])
        if spent[area] >= share:
            return
        calls = [row for row in rows.all if row["area"] == area]
        examples = _AT_ONCE[area]
        if calls:
            last = calls[-1]
            left = min(_CALL, share - spent[area])
            examples = max(1, int(last["each"] * left / max(last["seconds"], 1)))
        rows.add(_call(area, examples, seed + len(calls), temporary))


def about_fuzzing(rows: list[Row]) -> Row:
    """Number of tries in each area, and failures."""
    of = rows_by(rows, "area")
    return {
        area: {
            "minutes": sum(row["seconds"] for row in mine) / 60,
            "examples": sum(row["examples"] for row in mine),
            "failed": sum(len(row["failed"]) for row in mine),
        }
        for area, mine in of.items()
    }


def _call(area: str, examples: int, seed: int, temporary: Path) -> Row:
    """Let pytest run one fuzzer with so many examples of each kind."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        command = [
            sys.executable, "-m", "pytest", f"tests/faults/test_fuzz_{area}.py",
            f"--junitxml={report}", f"--hypothesis-seed={seed}",
            "-o", f"timeout={_HANGS}", "-p", "no:cacheprovider", f"--basetemp={place}/pytest",
        ]  # fmt: skip
        own = {"FUZZ_EXAMPLES": str(examples), "TMPDIR": str(temporary), **CACHES}
        ended = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | own, check=False
        )
        failed = _failed(report)
        if ended.returncode not in (0, 1) or bool(failed) != bool(ended.returncode):
            failed.append(f"pytest ended with {ended.returncode}: {ended.stdout[-300:].strip()}")
    return {
        "part": "fuzz",
        "area": area,
        "seed": seed,
        "each": examples,
        "seconds": round(time.monotonic() - began, 1),
        "examples": sum(map(int, _EXAMPLES.findall(ended.stdout))),
        "failed": failed,
        "left": sorted(path.name for path in temporary.iterdir()),
    }


def _failed(report: Path) -> list[str]:
    """The tests that failed, with the first line of why."""
    if not report.is_file():
        return []
    failed = []
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  # pytest has written it
        for fault in (*case.iter("failure"), *case.iter("error")):
            why = " ".join(fault.get("message", "").split())[:200]
            failed.append(f"{case.get('name')}: {why}")
    return failed

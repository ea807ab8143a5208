"""Time and memory of a command, measured by a process so small that it does not count itself.

To Linux the largest memory of a process is at least that of the one which started it. A benchmark
that has loaded torch is larger than many of the commands that it measures, so it lets this file
start them: `python -m benchmarks.measuring REPORT COMMAND ...`.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

MEGABYTES = (1 if sys.platform == "darwin" else 1024) / 1e6
"""Megabytes of 1,000,000 bytes in a unit of `ru_maxrss`."""


def measure(report: Path, command: list[str]) -> int:
    """Run a command to its end, write what it took as JSON, and return its exit code."""
    began = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took = {
        "seconds": time.monotonic() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * MEGABYTES,
    }
    report.write_text(json.dumps(took), encoding="utf-8")
    return process.returncode


if __name__ == "__main__":
    sys.exit(measure(Path(sys.argv[1]), sys.argv[2:]))

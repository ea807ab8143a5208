"""Runs tasks of `worker.py` and kills them at a given moment."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Outcome:
    """What a child said of each stage before it ended."""

    status: int
    stages: dict[str, list[int]]


class Worker:
    def __init__(self) -> None:
        script = Path(__file__).with_name("worker.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self, task: dict[str, Any], kill: int = signal.SIGKILL, after: int = -1, wait: float = 0.0
    ) -> Outcome:
        """Run a task; send the signal `wait` seconds after line number `after` of its progress."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline().split()[1])
        stages: dict[str, list[int]] = {}
        for number, line in enumerate(self.process.stdout):
            if line.startswith("end "):
                return Outcome(int(line.split()[1]), stages)
            stage, done, _ = line.rsplit(maxsplit=2)
            stages.setdefault(stage, []).append(int(done))
            if number == after:
                time.sleep(wait)
                os.kill(pid, kill)
        raise AssertionError("the worker is gone")

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

"""Runs tasks of `worker.py` and kills them at a given moment."""

import json
import os
import signal
import subprocess
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
    """Runs tasks by an interpreter, such as that of the fixture `python`."""

    def __init__(self, python: list[str]) -> None:
        self.command = [*python, str(Path(__file__).with_name("worker.py"))]

    def run(
        self, task: dict[str, Any], kill: int = signal.SIGKILL, after: int = -1, wait: float = 0.0
    ) -> Outcome:
        """Run a task; send the signal `wait` seconds after line number `after` of its progress."""
        stages: dict[str, list[int]] = {}
        with subprocess.Popen(
            [*self.command, json.dumps(task)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            # Of the task itself: what a forked interpreter shows is only its front.
            pid = int(process.stdout.readline().split()[1])
            for number, line in enumerate(process.stdout):
                stage, done, _ = line.rsplit(maxsplit=2)
                stages.setdefault(stage, []).append(int(done))
                if number == after:
                    time.sleep(wait)
                    os.kill(pid, kill)
            return Outcome(process.wait(60), stages)

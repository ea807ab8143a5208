"""Cluster of Ray on this machine and drivers that work on it, watched and killed."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil

from heap.base.errors import HeapError, InputError
from heap.store import schema
from heap.store.store import RunStore

VICTIMS = ("driver", "worker", "node")
_PROGRAM = """
import json, sys
import heap
images, out, model, settings, cluster = json.loads(sys.argv[1])
heap.discover(images, out, model=model, config=settings, engine="ray", cluster=cluster)
"""
_LOOK_S = 2.0
"""Seconds between two looks at the processes."""
_REMEMBERED_S = 30.0
"""Seconds between two rows of memory."""


class Machines:
    """Nodes of one core each and a head without cores, all of them processes of this machine."""

    def __init__(self, nodes: int) -> None:
        self.environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            # Its ports are open to the network of this machine.
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            # Beside other work the workers would get next to nothing, and Ray is slow to start.
            "RAY_worker_niceness": "0",
            "RAY_raylet_start_wait_time_s": "600",
            "RAY_agent_register_timeout_ms": "600000",
            "RAY_worker_register_timeout_seconds": "600",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ray_cluster", str(nodes)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment,
            cwd=Path(__file__).parents[1],
        )  # fmt: skip
        self.address = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        # Before it ends: what it has started is no child of it any more then.
        _, *family = self.processes() or [None]
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(family, timeout=60)

    def add_node(self) -> None:
        """Add a node."""
        self._change("add")

    def remove_node(self) -> None:
        """Kill all processes of a node, as if its power was lost."""
        self._change("remove")

    def processes(self) -> list[psutil.Process]:
        """Processes of all nodes."""
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.Error:
            return []

    def workers(self) -> list[psutil.Process]:
        """Processes that hold the model."""
        return [process for process in self.processes() if is_worker(process)]

    def _change(self, what: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        if self._answer() != "done":
            raise InputError("the cluster has ended")

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


class Driver:
    """A driver at work; it is gone at the end of the `with` block."""

    def __init__(
        self,
        machines: Machines,
        images: Path,
        run: Path,
        model: Path | str,
        settings: Mapping[str, Any],
        workers: int,
    ) -> None:
        cluster = {"address": machines.address, "workers": workers}
        self._arguments = json.dumps(
            [str(images.resolve()), str(run.resolve()), str(model), settings, cluster]
        )
        self._machines, self._run = machines, run
        self._cpu: dict[int, tuple[str, float]] = {}
        self._killed = False
        self.peak_mb = {"driver": 0.0, "worker": 0.0, "ray": 0.0}
        """Largest of the processes of each kind, as in `memory`."""
        self.memory: list[list[float]] = []
        """Rows of stored images, and of resident memory that is not shared, in 10^6 bytes, of the
        driver and of the largest worker."""

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        self._before = {}
        for process in self._machines.processes():
            with suppress(psutil.Error):
                self._before[process.pid] = _seconds(process)
        self._began = self._remembered = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, self._arguments],
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=self._machines.environment,
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    @property
    def cpu_seconds(self) -> dict[str, float]:
        """Processor time by `driver`, `worker`, and `ray` for all other processes of Ray."""
        total: dict[str, float] = {}
        for role, seconds in self._cpu.values():
            total[role] = total.get(role, 0.0) + seconds
        return total

    def wait_for(self, place: float) -> bool:
        """Wait until there are workers, and so many images are stored; says whether it is alive."""
        while self._alive() and not (
            self._machines.workers() and stored_images(self._run) >= place
        ):
            self.wait(_LOOK_S)
        return self._alive()

    def wait(self, seconds: float) -> bool:
        """Wait so long; says whether the driver is alive."""
        end = time.monotonic() + seconds
        while self._alive() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_S))
            self._look()
        return self._alive()

    def kill(self, victim: str) -> bool:
        """Send SIGKILL to the driver, a worker or a node; says whether there was one."""
        if victim == "driver":
            self._killed = True
            self._process.kill()
        elif victim == "node":
            self._machines.remove_node()
            self._machines.add_node()
        else:
            # It may be just being started again.
            while not (workers := self._machines.workers()) and self.wait(_LOOK_S):
                pass
            if not workers:
                return False
            workers[0].kill()
        return True

    def end(self) -> str:
        """Wait for the end; returns `whole`, `killed`, or what the driver said in the end."""
        while self._alive():
            self.wait(_LOOK_S)
        self.seconds = time.monotonic() - self._began
        if self._killed:
            return "killed"
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip()[-500:]
        return (said or "failed") if self._process.wait() else "whole"

    def _alive(self) -> bool:
        return self._process.poll() is None

    def _look(self) -> None:
        """Note the processor time and the memory of the driver, and of the cluster."""
        largest = {"driver": 0.0, "worker": 0.0, "ray": 0.0}
        driver = [psutil.Process(self._process.pid)] if self._alive() else []
        for process in [*driver, *self._machines.processes()]:
            # A worker has another name when its work has ended, and stays one.
            known, _ = self._cpu.get(process.pid, ("ray", 0.0))
            role = "driver" if process in driver else "worker" if is_worker(process) else known
            before = self._before.get(process.pid, 0.0)
            try:
                memory = process.memory_info()
                self._cpu[process.pid] = role, _seconds(process) - before
            except psutil.Error:
                continue
            # Shared memory is Ray's store of objects, which all of them have in view.
            largest[role] = max(largest[role], (memory.rss - memory.shared) / 1e6)
            self.peak_mb[role] = max(self.peak_mb[role], largest[role])
        if time.monotonic() - self._remembered > _REMEMBERED_S:
            self._remembered = time.monotonic()
            stored = stored_images(self._run)
            self.memory.append([stored, round(largest["driver"]), round(largest["worker"])])


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def is_worker(process: psutil.Process) -> bool:
    """Whether a process holds the model."""
    try:
        return " ".join(process.cmdline()).startswith("ray::MapWorker")
    except psutil.Error:  # It has ended.
        return False


def stored_images(run: Path) -> int:
    """Number of images in a run; 0 where there is none yet."""
    try:
        return int(RunStore.open(run).table(schema.IMAGES).count_rows())
    except HeapError:
        return 0

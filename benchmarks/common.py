"""Places of data, and commands, that the benchmarks share."""

import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from heap.base.errors import HeapError, InputError
from heap.base.files import replacing
from heap.images import list_images

Data = Annotated[Path, Parameter(name="--data", env_var="HEAP_DATA")]
"""Folder of the evaluation sets."""
DATA = Path("../shared/data")
RESULTS = Path("benchmarks/results")
RUNS = Path("runs")
"""Folder of what a benchmark makes on its way; git ignores it."""

CACHES = {"TORCHINDUCTOR_CACHE_DIR": str(RUNS.resolve() / "torch")}
"""Folder of torch's lasting files, which otherwise lie among temporary ones."""


def digest_of(values: Sequence[Any]) -> str:
    """A short name for what `values`, plain JSON, decide."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]


def images_in(folder: Path, limit: int | None = None) -> list[Path]:
    """The images of a folder by name; at most `limit`, the first ones.

    Raises:
        InputError: if it is missing or has none.
    """
    return [Path(source.location) for source in islice(list_images(folder), limit)]


@dataclass(frozen=True)
class Child:
    """A command that has ended well."""

    seconds: float
    cpu_seconds: float
    """Processor time, user and system, with that of its own children."""
    peak_mb: float
    """Largest resident memory, in 10^6 bytes."""
    output: str
    """Its standard output."""


def heap_command(*arguments: str | Path) -> list[str]:
    """`heap` with arguments, run by this very Python."""
    return [sys.executable, "-m", "heap", *map(str, arguments)]


def run_heap(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Child:
    """Run `heap` to its end, in this environment or another one.

    Raises:
        InputError: if it fails.
    """
    name = shlex.join(["heap", *map(str, arguments)])
    return run_child(name, heap_command(*arguments), environment)


def run_child(
    name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Child:
    """Run a command to its end, and measure it; `name` is what an error calls it.

    Raises:
        InputError: if it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "took.json"
        launcher = [sys.executable, "-m", "benchmarks.measuring", str(report)]
        done = subprocess.run(
            [*launcher, *command], stdout=subprocess.PIPE, env=environment, check=False
        )
        if done.returncode:
            raise InputError(f"`{name}` ended with exit code {done.returncode}")
        took = json.loads(report.read_text(encoding="utf-8"))
    return Child(output=done.stdout.decode(), **took)


def one_thread(sources: Path | None = None) -> dict[str, str]:
    """Environment of a command with one thread, and with other sources of the package if named."""
    # The folder of the benchmarks stays in reach: it is where the command is started.
    named = {} if sources is None else {"PYTHONPATH": str(sources.resolve())}
    return {**os.environ, "OMP_NUM_THREADS": "1", **named}


@contextmanager
def in_one_thread() -> Iterator[None]:
    """Let torch compute in one thread of this process, in the block."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def once(path: Path, make: Callable[[], Any]) -> Any:
    """Result of `make` as JSON, kept in `path` and not made again if it is there."""
    if not path.exists():
        content = json.dumps(make())
        with replacing(path) as file:
            file.write(content.encode())
    return json.loads(path.read_text(encoding="utf-8"))


def main(run: Callable[[], object]) -> None:
    """Run a command line; what the user can mend is one line and exit code 2."""
    try:
        run()
    except HeapError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)

"""Work on a listing by the machines of a cluster, with Ray Data; only here is Ray imported.

A task on the driver's machine lists the images and matches them with the run, actors with the model
work on portions of them, and the driver stores what comes back. How tasks are spread, held back,
repeated when a process or machine is lost, and how the actors become more or fewer, is Ray's.
"""

import logging
import os
import pickle
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from heap.base.device import choose_device
from heap.base.errors import HeapError, InputError, first_line
from heap.config import ClusterConfig, DiscoverConfig
from heap.discovery.listed import Examination
from heap.discovery.portions import Ending, Listed, Matches, Portion
from heap.images import Limits
from heap.images.failures import Failure
from heap.images.source import STANDARD_INPUT, is_url
from heap.model.heap import Heap
from heap.store.place import has_store
from heap.store.records import Finished

try:
    import ray
    from ray.data import ActorPoolStrategy, DataContext, Datasource, read_datasource
    from ray.data.block import BlockMetadata
    from ray.data.datasource import ReadTask
except ModuleNotFoundError as error:
    raise InputError(
        f"--engine ray needs Ray ({error}): pip install 'heap[ray]', on every machine"
    ) from None

_TRIES = 3
"""Repetitions of a portion whose worker was lost, before it is left for the end of the run."""


@dataclass(frozen=True)
class Tools:
    """Model and settings by which every worker makes records of images."""

    heap: Heap
    """The model, on the CPU."""
    config: DiscoverConfig
    out: Path | str
    limits: Limits
    cluster: ClusterConfig
    device: str


@contextmanager
def connected(cluster: ClusterConfig) -> Iterator[None]:
    """Connection to the cluster, in the block; one that the program has already is used, and stays.

    Raises:
        InputError: if there is no cluster at the address.
    """
    if ray.is_initialized():
        yield
        return
    # A cluster that is started here tells its makers nothing; others do as they were started.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Without "local" Ray would join a cluster that it knows of on this machine.
    where: dict[str, Any] = {"address": "local", "include_dashboard": False}
    if cluster.address is not None:
        where = {"address": cluster.address}
    try:
        with warnings.catch_warnings():
            # The processes that it starts here are other programs at once.
            warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
            ray.init(**where, logging_level=logging.ERROR)
        logging.getLogger("ray.data").setLevel(logging.ERROR)
    # Ray raises plain `Exception` where its processes do not come up in time.
    except Exception as error:
        if cluster.address is None:
            raise InputError(
                f"Ray did not start on this machine: {first_line(error)}; if much else is running "
                "here, repeat the command when less is"
            ) from error
        raise InputError(
            f"no cluster of Ray at {cluster.address!r}: {first_line(error)}; start one (`ray start "
            "--head`), or leave --address out to use this machine alone"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def spread(
    listed: Listed, tools: Tools
) -> Iterator[Sequence[Finished | Failure] | Matches | Ending]:
    """Yield the records of portions in any order, and what the listing says.

    A portion that has lost its workers more often than may happen by accident is missing.

    Raises:
        HeapError: if the listing, or all of the work, cannot be done.
    """
    cluster, context = tools.cluster, DataContext.get_current().copy()
    # A portion is a block by itself: no larger ones are waited for.
    context.target_max_block_size = 1
    context.enable_progress_bars = context.print_on_execution_start = False
    # Portions that are lost for good do not end the run; errors of ours come as results.
    context.max_errored_blocks = -1
    shared = ray.put(tools)  # held here: actors that are started again read it, too
    with DataContext.current(context), warnings.catch_warnings():
        # Ray has no other name for the repetitions yet, which are endless without.
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        rows = read_datasource(
            _ListedImages(listed), override_num_blocks=1, num_cpus=0
        ).map_batches(
            Worker,
            fn_constructor_args=[shared],
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=cluster.cpus,
            num_gpus=cluster.gpus or None,
            compute=ActorPoolStrategy(
                min_size=1,
                max_size=cluster.workers,
                # A portion that waits for a worker is lost with it: of images alone none waits.
                max_tasks_in_flight_per_actor=1 if listed.alone else None,
            ),
            max_task_retries=_TRIES,
        )
        batches = rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    try:
        for batch in batches:
            for content in batch["content"].to_pylist():
                item = _unpack(content)
                if isinstance(item, HeapError):
                    raise item
                yield item
    except ray.exceptions.RayError as error:
        raise HeapError(f"the cluster gave up: {first_line(error)}") from error


class _ListedImages(Datasource):
    """Listing as a source of Ray Data: one task, on the machine of the driver."""

    def __init__(self, listed: Listed) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._listed = ray.put(listed)

    supports_distributed_reads = False

    def estimate_inmemory_data_size(self) -> int | None:
        """Return nothing: how many images there are is known when they are listed."""
        return None

    def get_read_tasks(self, parallelism: int, *args: Any, **options: Any) -> list[Any]:
        """Return the one task."""
        listed = self._listed

        def read() -> Iterator[pa.Table]:
            try:
                for part in ray.get(listed).parts():
                    yield _row(part)
            except HeapError as error:
                yield _row(error)

        return [ReadTask(read, BlockMetadata(None, None, None, None))]


class Worker:
    """Actor that holds the model, and makes records of the images of a portion."""

    def __init__(self, tools: Any) -> None:
        self._tools: Tools = ray.get(tools)
        cores = max(1, round(self._tools.cluster.cpus))
        import torch

        torch.set_num_threads(cores)
        device = choose_device(self._tools.device) if self._tools.cluster.gpus else "cpu"
        self._examination = Examination(
            self._tools.heap.to(device),
            self._tools.config,
            self._tools.out,
            ThreadPoolExecutor(cores + 1),
            self._tools.limits,
        )

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Records in the place of a portion; what is none goes on to the driver as it is."""
        return pa.concat_tables([self._work_on(content) for content in rows["content"].to_pylist()])

    def _work_on(self, content: bytes) -> pa.Table:
        item = _unpack(content)
        if not isinstance(item, Portion):
            return pa.table({"content": [content]})
        try:
            self._refuse_strange_machine(item)
            records = self._examination.records(item.waiting, item.places)
            return _row([record for chunk in records for record in chunk])
        except HeapError as error:
            return _row(error)

    def _refuse_strange_machine(self, portion: Portion) -> None:
        """Refuse to work where the folders of the driver are not."""
        out = self._tools.out
        if self._tools.config.save and isinstance(out, Path) and not has_store(out):
            raise InputError(f"{_ELSEWHERE.format(os.uname().nodename, out)}, for --out")
        (source, *_), *_ = portion.waiting
        if source.location == STANDARD_INPUT or is_url(source.location):
            return
        if not (folder := Path(source.location).parent).exists():
            raise InputError(_ELSEWHERE.format(os.uname().nodename, folder))


_ELSEWHERE = "{} of the cluster has no {}; name a folder that all machines share, or a URL"


def _row(item: object) -> pa.Table:
    return pa.table({"content": [pickle.dumps(item)]})


def _unpack(content: bytes) -> Any:
    # Between processes of one cluster, which run whatever Ray sends them anyway.
    return pickle.loads(content)  # noqa: S301

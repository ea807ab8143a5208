"""Choice between this process and workers of a cluster; Ray is imported only for these."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from heap.base.errors import InputError
from heap.config import ClusterConfig, Engine, from_dict
from heap.discovery.listed import Work, embed_outdated, outdated_sources
from heap.discovery.outcome import Outcome
from heap.discovery.portions import Listed
from heap.images.listing import Place
from heap.images.source import STANDARD_INPUT


def cluster_workers(
    engine: Engine,
    cluster: ClusterConfig | Mapping[str, Any] | None,
    places: Sequence[Place] | None,
) -> ClusterConfig | None:
    """Workers of a cluster; None where this process does the work."""
    if engine not in get_args(Engine):
        raise InputError(f"engine is {engine!r}; there are {', '.join(get_args(Engine))}")
    if engine == "local":
        if cluster is not None:
            raise InputError('workers of a cluster are those of the engine "ray"; name that, too')
        return None
    if places is None or STANDARD_INPUT in [os.fspath(place) for place in places]:
        raise InputError(
            "images in memory or on standard input are not seen by other machines; give a folder "
            'or URL, or take the engine "local"'
        )
    if not isinstance(cluster, ClusterConfig):
        cluster = from_dict(ClusterConfig, cluster or {})
    # Imported only where it is asked for: Ray is an extra, and takes a second. Already here, so
    # that its absence is said before anything slow is begun.
    import_module("heap.discovery.cluster")
    return cluster


def connected_to(workers: ClusterConfig) -> AbstractContextManager[None]:
    """Connection to the cluster while a block runs."""
    from heap.discovery.cluster import connected

    return connected(workers)


def work_on_cluster(
    work: Work,
    workers: ClusterConfig,
    device: str,
    places: Sequence[Place],
    limit: int | None,
    *,
    prune: bool,
) -> Outcome:
    """Find the objects of the images of a listing on a cluster, and store them."""
    from heap.discovery.cluster import Tools
    from heap.discovery.spread import Spread

    listed = Listed(
        [os.fspath(place) for place in places],
        str(Path.cwd()),
        limit,
        work.store.stored(),
        work.config.chunk,
        work.limits,
    )
    out = work.out.absolute() if isinstance(work.out, Path) else work.out
    tools = Tools(work.heap, work.config, out, work.limits, workers, device)
    spread = Spread(work.store, work.out, work.stop, work.on_progress)
    outcome = spread.work_on(listed, tools, prune=prune)
    # Here, for they are few: a person has corrected their masks.
    embed_outdated(work, outdated_sources(work.store))
    return outcome

"""Cluster of Ray on this machine: a head without cores, and nodes of one core, all of processes.

Prints the address; then every line of standard input, `remove` or `add`, is of one node, and `done`
follows. It ends with its standard input.
"""

import socket
import sys
from contextlib import ExitStack
from typing import Any

from ray.cluster_utils import Cluster

_PORTS = (
    "metrics_agent_port",
    "metrics_export_port",
    "runtime_env_agent_port",
    "dashboard_agent_listen_port",
)


def main(nodes: int) -> None:
    """Hold a cluster of so many nodes until the end of standard input."""
    cluster: Any = Cluster(
        initialize_head=True,
        head_node_args={**_quiet(), "num_cpus": 0, "include_dashboard": False},
    )
    workers = [cluster.add_node(**_quiet(), num_cpus=1) for _ in range(nodes)]
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "remove":
            cluster.remove_node(workers.pop(), allow_graceful=False)
        else:
            workers.append(cluster.add_node(**_quiet(), num_cpus=1))
        print("done", flush=True)
    cluster.shutdown()


def _quiet() -> dict[str, Any]:
    """Arguments of a node without what only shows or collects, with ports for its agents.

    A node waits for agents that choose their ports themselves, and ends where a machine is so busy
    that they take more than 15 seconds to start.
    """
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in _PORTS]
        for listener in taken:
            listener.bind(("127.0.0.1", 0))
        ports = [listener.getsockname()[1] for listener in taken]
    return {"include_log_monitor": False, **dict(zip(_PORTS, ports, strict=True))}


if __name__ == "__main__":
    main(int(sys.argv[1]))

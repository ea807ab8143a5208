"""Cluster of Ray on this machine: a head without cores, and nodes of one core, all of processes.

Prints the address; then every line of standard input, `remove` or `add`, is of one node, and `done`
follows. It ends with its standard input.
"""

import sys
from typing import Any

from ray.cluster_utils import Cluster

# Without what only shows or collects.
HERE: dict[str, Any] = {"include_log_monitor": False}


def main(nodes: int) -> None:
    cluster: Any = Cluster(
        initialize_head=True, head_node_args={**HERE, "num_cpus": 0, "include_dashboard": False}
    )
    workers = [cluster.add_node(**HERE, num_cpus=1) for _ in range(nodes)]
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "remove":
            cluster.remove_node(workers.pop(), allow_graceful=False)
        else:
            workers.append(cluster.add_node(**HERE, num_cpus=1))
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Named evaluations. A name stands for one set of choices for ever; others get a new name."""

from heap.base.lookup import find
from heap.benchmark.protocols.abstention import ABSTENTION
from heap.benchmark.protocols.base import Protocol, Row
from heap.benchmark.protocols.clustering import CLUSTERING
from heap.benchmark.protocols.discovery import DISCOVERY
from heap.benchmark.protocols.regions import REGIONS
from heap.benchmark.protocols.retrieval import RETRIEVAL
from heap.benchmark.protocols.saliency import SALIENCY
from heap.benchmark.protocols.separation import SEPARATION
from heap.benchmark.protocols.several import SEVERAL

__all__ = ["PROTOCOLS", "Protocol", "Row", "find_protocol"]

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        *DISCOVERY,
        *ABSTENTION,
        *SALIENCY,
        *RETRIEVAL,
        *CLUSTERING,
        *REGIONS,
        *SEVERAL,
        *SEPARATION,
    )
}
"""All protocols by name."""


def find_protocol(name: str) -> Protocol:
    """Return the protocol of this name.

    Raises:
        InputError: if there is none.
    """
    return find("protocol", name, PROTOCOLS, "heap protocols")

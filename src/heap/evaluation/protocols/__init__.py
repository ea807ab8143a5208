"""The named evaluations. A name is never given to another set of choices: those get a new one."""

from heap.evaluation.protocols.abstention import ABSTENTION
from heap.evaluation.protocols.base import Protocol, Row
from heap.evaluation.protocols.clustering import CLUSTERING
from heap.evaluation.protocols.discovery import DISCOVERY
from heap.evaluation.protocols.regions import REGIONS
from heap.evaluation.protocols.retrieval import RETRIEVAL
from heap.evaluation.protocols.saliency import SALIENCY
from heap.evaluation.protocols.separation import SEPARATION
from heap.evaluation.protocols.several import SEVERAL
from heap.lookup import find

__all__ = ["PROTOCOLS", "Protocol", "Row", "find_protocol"]

PROTOCOLS: dict[str, Protocol] = {
    each.name: each
    for each in (
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
    """The protocol of this name.

    Raises:
        InputError: if there is none.
    """
    return find("protocol", name, PROTOCOLS, "heap protocols")

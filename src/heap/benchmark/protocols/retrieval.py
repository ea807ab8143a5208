"""Semantic segmentation retrieval: every object gets the class of the nearest one of a memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heap.base.errors import InputError
from heap.benchmark.datasets.voc import CLASSES as VOC
from heap.benchmark.protocols.base import Protocol, Row
from heap.benchmark.protocols.segments import (
    Features,
    Objects,
    SegmentProtocol,
    embeddings_of,
    majority_class,
    name_segments,
)
from heap.benchmark.results.estimate import Values

SEVEN = ("bus", "aeroplane", "car", "person", "cat", "cow", "bottle")
ANIMALS = ("cat", "cow", "dog", "horse", "sheep", "person")


@dataclass(frozen=True, kw_only=True)
class Retrieval(SegmentProtocol):
    """Semantic segmentation retrieval (MaskContrast, FOUND): names by the nearest neighbour.

    Each object of the memory split is named by the class that most of its pixels have, background
    and void aside; one that has nothing else is dropped. Each object of the query split takes the
    name of the nearest ones by cosine, the rest of its image is background. Pixels of other classes
    than those listed are void in both. IoU is of the pixels of the whole split; classes that it
    does not have are named and left out of the mean.
    """

    memory: str = "train"
    """Split of the memory; the trainaug list is the train split of the data set voc2012-seg-aug."""
    query: str = "val"
    k: int = 1
    """Neighbours that vote; of equals the nearest one's class wins."""
    splits: tuple[str, ...] | None = ("train", "val")
    task = "retrieval"
    words = SegmentProtocol.words | {
        ("memory", "train"): "train (that of voc2012-seg-aug is trainaug)",
        ("k", 1): "1 (the nearest one gives its name)",
    }

    def finish(self, rows: Sequence[Row]) -> tuple[list[Row], dict[str, Any]]:
        """Name the objects of the queries; of the memory only its size is kept.

        Raises:
            InputError: if there is no query.
        """
        memory = [row for row in rows if row["split"] == self.memory]
        query = [row for row in rows if row["split"] == self.query]
        if not query:
            raise InputError(
                f"protocol {self.name} has nothing to score: not one image of the split "
                f"{self.query} could be used"
            )
        known = [segment for row in memory for segment in row["segments"]]
        labels = np.array([majority_class(segment["pixels"]) for segment in known], dtype=np.int64)
        bank = embeddings_of(memory)[labels > 0]
        names = self._nearest(bank, labels[labels > 0], embeddings_of(query))
        named_query = iter(name_segments(query, names))
        finished = [
            next(named_query) if row["split"] == self.query else {"memory": len(row["segments"])}
            for row in rows
        ]
        scored = [row for row in finished if "rest" in row]
        return finished, {"memory": len(bank), "absent": self.absent(scored)}

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """Mean IoU over the queries."""
        return [self.miou([row for row in rows if "rest" in row])]

    def _nearest(
        self, bank: np.ndarray, labels: np.ndarray, queries: np.ndarray
    ) -> list[tuple[int]]:
        if not len(bank):
            return [(0,)] * len(queries)
        labels_of = []
        for query in queries:
            near = labels[np.argsort(-(bank @ query), kind="stable")[: self.k]]
            votes = np.bincount(near, minlength=len(VOC))
            # Of the classes with most votes, the one that comes first among the neighbours.
            labels_of.append((int(near[np.argmax(votes[near])]),))
        return labels_of


def _variants(base: str, classes: tuple[str, ...], *, with_background: bool) -> list[Protocol]:
    ways: tuple[tuple[str, Objects, Features], ...] = (
        ("", "as found", "the encoder's"),
        ("-single", "all as one", "the encoder's"),
        ("-parts", "connected parts", "the encoder's"),
        ("-own", "as found", "the method's"),
    )
    return [
        Retrieval(
            name=base + suffix,
            objects=objects,
            features=features,
            classes=classes,
            with_background=with_background,
        )
        for suffix, objects, features in ways
    ]


RETRIEVAL: tuple[Protocol, ...] = (
    *_variants("retrieval-voc12-7-v1", SEVEN, with_background=False),
    *_variants("retrieval-voc12-21-v1", VOC[1:], with_background=True),
    *_variants("retrieval-voc12-animals-v1", ANIMALS, with_background=False),
)
"""The protocols of retrieval."""

"""Unsupervised semantic segmentation: objects are clustered, clusters are matched to classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from heap.benchmark.metrics.clustering import cluster, cluster_iou, match_clusters
from heap.benchmark.protocols.base import Protocol, Row
from heap.benchmark.protocols.segments import (
    SegmentProtocol,
    confusion,
    embeddings_of,
    name_segments,
)
from heap.benchmark.results.estimate import OfSums, Values


@dataclass(frozen=True, kw_only=True)
class Clustering(SegmentProtocol):
    """Semantic segmentation by clustering (MaskContrast): k-means, then Hungarian matching.

    The embeddings of all objects of the split are whitened to 32 dimensions and clustered; cluster
    and class are matched one to one for the largest sum of IoU. What is in no object is background
    and takes no part in the matching. Fitted and scored on the same images; the value is the mean
    over several seeds of k-means. Classes that the split does not have are named and left out.
    """

    clusters: int = 20
    """Clusters of k-means."""
    seeds: int = 5
    """Seeds of k-means; the value is the mean."""
    size: int | None = None
    splits: tuple[str, ...] | None = ("val",)
    task = "clustering"

    def finish(self, rows: Sequence[Row]) -> tuple[list[Row], dict[str, Any]]:
        """Give each object one class for each seed."""
        embeddings = embeddings_of(rows)
        names = [self._matched(rows, embeddings, seed) for seed in range(self.seeds)]
        finished = name_segments(rows, zip(*names, strict=True))
        return finished, {"absent": self.absent(finished)}

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """Mean IoU, mean over the seeds."""
        per_seed = [self.miou(rows, seed) for seed in range(self.seeds)]
        states = np.concatenate([sums.states for sums in per_seed], axis=1)

        def compute(total: Float64[np.ndarray, " state"]) -> list[float]:
            parts = total.reshape(self.seeds, -1)
            values = [sums.compute(part)[0] for sums, part in zip(per_seed, parts, strict=True)]
            return [float(np.mean(values))]

        return [OfSums(("miou",), states, compute, resamples=500)]

    def _matched(self, rows: Sequence[Row], embeddings: np.ndarray, seed: int) -> list[int]:
        if not len(embeddings):
            return []
        # Clusters are numbered from 1: 0 is the background.
        labels = cluster(embeddings, self.clusters, seed) + 1
        raw = name_segments(rows, [(int(label),) for label in labels])
        overlap = cluster_iou(np.sum([confusion(row, 0) for row in raw], axis=0))
        mapping = match_clusters(overlap[1:, 1:])
        return [int(mapping[label - 1]) + 1 for label in labels]


CLUSTERING: tuple[Protocol, ...] = (
    Clustering(name="clustering-voc12-v1"),
    Clustering(name="clustering-voc12-v1-single", objects="all as one"),
)
"""The protocols of clustering."""

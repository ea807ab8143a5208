"""Regions: retrieval of those of one class, and the best foreground that they could give."""

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from heap.base.errors import InputError
from heap.benchmark.datasets.voc import CLASSES as VOC
from heap.benchmark.metrics.masks import mask_iou
from heap.benchmark.metrics.regions import (
    NO_CLASS,
    nearest_alike,
    recall_by_chance,
    region_classes,
    region_means,
    region_oracle,
    regions_at,
)
from heap.benchmark.protocols.base import Protocol, Row
from heap.benchmark.protocols.discovery import means
from heap.benchmark.protocols.outcome import Outcome
from heap.benchmark.protocols.saliency import FoundSaliency
from heap.benchmark.results import DIGITS
from heap.benchmark.results.estimate import OfSums, Values
from heap.benchmark.truth import VOID

_KINDS = ("features", "head")
"""Embeddings before and after the head."""


@dataclass(frozen=True, kw_only=True)
class _OfRegions(Protocol):
    task = "regions"
    of_regions = True

    def _label_map(self, outcome: Outcome) -> Int64[np.ndarray, "grid_h grid_w"]:
        return self._reported(outcome.finding.label_map)

    def _reported(self, part: np.ndarray | None) -> np.ndarray:
        if part is None:
            raise InputError(
                f"protocol {self.name} needs regions, which the method does not report"
            )
        return part


@dataclass(frozen=True, kw_only=True)
class RegionRetrieval(_OfRegions):
    """Whether regions of a class find each other across images, before and after the head.

    A region has the class that more than half of its pixels have, void left out; one that is all
    void is dropped. Queries are the regions of VOC's classes. Each looks for the nearest regions,
    by cosine, among those of all other images; what is background, or of no one class, is there
    too, and never right. Recall is the share of the queries with one of their class among the
    nearest, precision the share of these that are; both are means over the queries. An interval
    is of the images of the queries: the regions in which they look stay the same.
    """

    of_voc = True

    k: int = 10
    """Number of the nearest regions; recall is given for the nearest alone, too."""
    features: str = "mean feature of the patches of the region, at length 1"
    """Embedding of a region before the head."""
    head: str = "that of the region by the head, at length 1"
    """Embedding of a region after the head."""

    def measure(self, outcome: Outcome, split: str) -> Row:
        """Class and embeddings of each region."""
        classes = self.require(outcome.truth, "classes")
        label_map = self._label_map(outcome)
        head = self._reported(outcome.finding.region_embeddings)
        numbers = region_classes(regions_at(label_map, outcome.size), classes, len(head))
        patches = outcome.observed.features.patches.numpy()
        features = region_means(patches, label_map, len(head))
        kept = numbers != VOID
        return {
            "classes": numbers[kept].tolist(),
            "features": _to_text(features[kept]),
            "head": _to_text(head[kept]),
        }

    def finish(self, rows: Sequence[Row]) -> tuple[list[Row], dict[str, Any]]:
        """Count the results of the queries of each image."""
        by_image = [np.array(row["classes"], dtype=np.int64) for row in rows]
        classes = np.concatenate(by_image)
        images = np.repeat(np.arange(len(rows)), [len(regions) for regions in by_image])
        asking = images[classes != NO_CLASS]
        sums = {"queries": np.bincount(asking, minlength=len(rows))}
        for kind in _KINDS:
            embeddings = _from_text([row[kind] for row in rows], len(classes))
            alike = nearest_alike(embeddings, classes, images, self.k)
            counts = (alike[:, 0], alike.any(axis=1), alike.mean(axis=1))
            for name, count in zip(self._names(kind), counts, strict=True):
                sums[name] = np.bincount(asking, weights=count, minlength=len(rows))
        final = [{name: sums[name][at].item() for name in sums} for at in range(len(rows))]
        chance = recall_by_chance(classes, images, self.k)
        by_chance = {f"recall_{self.k}_by_chance": round(chance, DIGITS)} if asking.size else {}
        return final, _notes(by_image) | by_chance

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """Recall and precision over the queries, by features and by the head."""
        names = tuple(name for kind in _KINDS for name in self._names(kind))
        states = np.array([[row[name] for name in ("queries", *names)] for row in rows])

        def compute(total: Float64[np.ndarray, " state"]) -> list[float]:
            count = total[0] or np.nan
            return [float(share) for share in total[1:] / count]

        return [OfSums(names, states.astype(np.float64), compute)]

    def _names(self, kind: str) -> tuple[str, str, str]:
        return f"recall_1_{kind}", f"recall_{self.k}_{kind}", f"precision_{self.k}_{kind}"


@dataclass(frozen=True, kw_only=True)
class RegionOracle(_OfRegions):
    """IoU of the regions of which, by the annotation, more than half is foreground.

    What a perfect choice among the regions would give: mean over the images, regions of patches
    as blocks of pixels, void left out. Where IoU is low anyway, to take regions of less than half
    can raise it a little; such a choice is not tried.
    """

    truth: str = FoundSaliency.truth
    """Definition of foreground."""

    def measure(self, outcome: Outcome, split: str) -> Row:
        """IoU of an image."""
        void = outcome.truth.void
        valid = None if void is None else ~void
        truth = self.require(outcome.truth, "foreground")
        regions = regions_at(self._label_map(outcome), outcome.size)
        return {"iou_oracle": mask_iou(region_oracle(regions, truth, valid), truth, valid)}

    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """Mean over the images."""
        return [means(rows, ("iou_oracle",))]


def _notes(by_image: Sequence[Int64[np.ndarray, " _"]]) -> dict[str, Any]:
    """Number of regions, queries by class, and classes that only one image has."""
    images = Counter(int(number) for classes in by_image for number in np.unique(classes))
    regions = Counter(int(number) for classes in by_image for number in classes)
    known = [number for number in sorted(regions) if number != NO_CLASS]
    return {
        "regions": regions.total(),
        "queries": {VOC[number]: regions[number] for number in known},
        "in_one_image": [VOC[number] for number in known if images[number] == 1],
    }


def _to_text(embeddings: Float32[np.ndarray, "region dim"]) -> str:
    """Encode at length 1 in single precision; as JSON it would be several times as long."""
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return b64encode((embeddings / np.maximum(length, 1e-12)).astype("<f4").tobytes()).decode()


def _from_text(texts: Sequence[str], count: int) -> Float32[np.ndarray, "region dim"]:
    if not count:
        return np.zeros((0, 0), dtype=np.float32)
    whole = b"".join(map(b64decode, texts))
    return np.frombuffer(whole, dtype="<f4").reshape(count, -1)


REGIONS: tuple[Protocol, ...] = (
    RegionRetrieval(name="regions-voc12-v1"),
    RegionOracle(name="region-oracle-v1"),
)
"""The protocols of regions."""

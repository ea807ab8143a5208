"""Segments of a class map, which retrieval and clustering have in common.

The number of pixels of every class in a mask is all that is needed to score any name that the mask
gets later; so a row holds these counts and no masks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8
from PIL import Image
from scipy.ndimage import label

from heap.benchmark.datasets.voc import CLASSES as VOC
from heap.benchmark.metrics.segmentation import compute_miou
from heap.benchmark.protocols.base import Protocol, Row
from heap.benchmark.protocols.outcome import Outcome
from heap.benchmark.results.estimate import OfSums
from heap.benchmark.truth import VOID
from heap.methods.finding import THRESHOLD

Objects = Literal["as found", "all as one", "connected parts"]
Features = Literal["the encoder's", "the method's"]
Pixels = dict[str, int]
"""Pixels of each class, by its number as JSON has it; what is not scored is left out."""


@dataclass(frozen=True, kw_only=True)
class SegmentProtocol(Protocol):
    """Choices that retrieval and clustering have in common."""

    of_voc = True

    objects: Objects = "as found"
    """Definition of an object."""
    min_area: float = 0.01
    """Share of the image below which an object is dropped."""
    size: int | None = 512
    """Side of the square to which masks and annotation are squeezed; None: left as they are."""
    classes: tuple[str, ...] = VOC[1:]
    """Classes that are scored, besides the background; pixels of others are void."""
    with_background: bool = True
    """Whether the background is one of the classes of the mean."""
    features: Features = "the encoder's"
    """Features of the patches."""
    embedding: str = (
        "mean feature of the patches, each by the share of it that the mask covers, at length 1"
    )
    """Embedding of an object."""
    variants = ("objects", "features")
    words = Protocol.words | {
        ("objects", "as found"): "as found (those that the method reports, masks interpolated)",
        ("objects", "all as one"): "all as one (the foreground of an image, saliency above 0.5)",
        ("objects", "connected parts"): "connected parts (the 4-connected ones of the foreground)",
        ("features", "the encoder's"): "the encoder's (the same for every method)",
        ("features", "the method's"): (
            "the method's (those it compares objects by, the encoder's if it has no others)"
        ),
        ("min_area", 0.01): "0.01 of the image (what is smaller is background, unless all is one)",
        ("size", 512): "512 (masks and annotation are squeezed to 512 x 512 pixels)",
        ("size", None): "that of the original",
        ("with_background", True): "yes (it is one of the classes of the mean)",
        ("with_background", False): "no (but to take background for a class is wrong)",
    }

    def measure(self, outcome: Outcome, split: str) -> Row:
        """Embedding and classes of every object, and the classes of pixels in no object."""
        truth = self._truth(self.require(outcome.truth, "classes"))
        patches = self._features(outcome)
        segments, rest = [], np.ones(truth.shape, dtype=bool)
        for mask in self._masks(outcome, truth.shape):
            rest &= ~mask
            embedding = _embedding(mask, patches, outcome.finding.saliency.shape)
            segments.append({"embedding": embedding.tolist(), "pixels": _count(truth[mask])})
        return {"split": split, "segments": segments, "rest": _count(truth[rest])}

    def miou(self, rows: Sequence[Row], labels: int = 0) -> OfSums:
        """Mean IoU of named rows, by the confusion of the whole set; `labels` is the naming."""
        states = np.array([confusion(row, labels).ravel() for row in rows], dtype=np.float64)
        among = self.numbers

        def compute(total: Float64[np.ndarray, " state"]) -> list[float]:
            return [compute_miou(total.reshape(len(VOC), -1), among)[0]]

        return OfSums(("miou",), states, compute)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the classes of the mean."""
        return [0] * self.with_background + [VOC.index(name) for name in self.classes]

    def absent(self, rows: Sequence[Row]) -> list[str]:
        """Names of the classes that no row has in its annotation."""
        total = np.sum([confusion(row, 0) for row in rows], axis=0)
        return [VOC[number] for number in compute_miou(total.astype(np.float64), self.numbers)[1]]

    def _features(self, outcome: Outcome) -> Float32[np.ndarray, "patch dim"]:
        own = outcome.finding.whitened
        if self.features == "the method's" and own is not None:
            return own
        return outcome.observed.features.patches.numpy()

    def _truth(self, classes: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "height width"]:
        scored = np.array([0, *(VOC.index(name) for name in self.classes)])
        kept = np.full(VOID + 1, VOID, dtype=np.uint8)
        kept[scored] = scored
        return _squeeze(kept[classes], self.size)

    def _masks(
        self, outcome: Outcome, shape: tuple[int, ...]
    ) -> list[Bool[np.ndarray, "height width"]]:
        if self.objects == "as found":
            masks: Iterable[np.ndarray] = (_squeeze(mask, self.size) for mask in outcome.masks)
        else:
            mask = _squeeze(outcome.smooth > THRESHOLD, self.size)
            if self.objects == "all as one":
                return [mask] if mask.any() else []
            numbered, count = label(mask)
            masks = (numbered == number for number in range(1, count + 1))
        least = self.min_area * shape[0] * shape[1]
        return [mask for mask in masks if mask.any() and mask.sum() >= least]


def confusion(row: Row, which: int) -> Int64[np.ndarray, "truth prediction"]:
    """Count pixels by true and predicted class; segments have a name for every naming."""
    counts = np.zeros((len(VOC), len(VOC)), dtype=np.int64)
    for names, pixels in row["segments"]:
        _add(counts, pixels, names[which])
    _add(counts, row["rest"], 0)
    return counts


def majority_class(pixels: Pixels) -> int:
    """Class that most pixels have, without the background; 0 if there is none."""
    objects = {int(number): count for number, count in pixels.items() if number != "0"}
    return max(objects, key=lambda number: (objects[number], -number), default=0)


def embeddings_of(rows: Sequence[Row]) -> Float64[np.ndarray, "segment dim"]:
    """Embeddings of all segments of unfinished rows, in their order."""
    embeddings = [segment["embedding"] for row in rows for segment in row["segments"]]
    return np.array(embeddings, dtype=np.float64) if embeddings else np.zeros((0, 0))


def name_segments(rows: Sequence[Row], names: Iterable[Sequence[int]]) -> list[Row]:
    """Replace embeddings by names: every segment of the rows has a list, a name for every naming.

    `names` are those of all segments, in their order.
    """
    remaining = iter(names)
    return [
        {
            "segments": [[list(next(remaining)), s["pixels"]] for s in row["segments"]],
            "rest": row["rest"],
        }
        for row in rows
    ]


def _add(counts: Int64[np.ndarray, "t p"], pixels: Mapping[str, int], prediction: int) -> None:
    for number, count in pixels.items():
        counts[int(number), prediction] += count


def _count(classes: UInt8[np.ndarray, " pixel"]) -> Pixels:
    numbers = np.bincount(classes, minlength=VOID + 1)[:VOID]
    return {str(number): int(numbers[number]) for number in np.flatnonzero(numbers)}


def _squeeze(plane: np.ndarray, size: int | None) -> np.ndarray:
    if size is None:
        return plane
    image = Image.fromarray(plane).resize((size, size), Image.Resampling.NEAREST)
    return np.asarray(image, dtype=plane.dtype)


def _embedding(
    mask: Bool[np.ndarray, "height width"],
    patches: Float32[np.ndarray, "patch dim"],
    grid: tuple[int, ...],
) -> Float32[np.ndarray, " dim"]:
    """Mean of the patches, weighted by the share of a patch that the mask covers, at length 1."""
    cover = Image.fromarray(mask.astype(np.float32))
    share = np.asarray(cover.resize((grid[1], grid[0]), Image.Resampling.BOX))
    mean = share.ravel() @ patches
    unit: np.ndarray = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return unit.astype(np.float32)

"""Regions against the annotation of their image, and against the regions of other images."""

from math import comb

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from PIL import Image

from heap.benchmark.truth import VOID

RegionMap = Int64[np.ndarray, "height width"]
NO_CLASS = 0
"""Class of a region that lies on the background, or on no thing with more than half."""


def regions_at(label_map: Int64[np.ndarray, "grid_h grid_w"], size: tuple[int, int]) -> RegionMap:
    """Region of each pixel, that of the patch it lies in; `size` is height and width."""
    labels = Image.fromarray(label_map.astype(np.int32))
    full = labels.resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(full, dtype=np.int64)


def region_oracle(
    regions: RegionMap,
    truth: Bool[np.ndarray, "height width"],
    valid: Bool[np.ndarray, "height width"] | None = None,
) -> Bool[np.ndarray, "height width"]:
    """Pixels of the regions of which more than half, of `valid` pixels, is foreground in truth."""
    counted = np.ones_like(truth) if valid is None else valid
    total = np.bincount(regions[counted], minlength=int(regions.max()) + 1)
    foreground = np.bincount(regions[counted & truth], minlength=len(total))
    chosen: np.ndarray = (2 * foreground > total)[regions]
    return chosen


def region_classes(
    regions: RegionMap, classes: UInt8[np.ndarray, "height width"], count: int
) -> Int64[np.ndarray, " region"]:
    """Class that more than half of the scored pixels have, for each of `count` regions.

    `NO_CLASS` if there is none, `VOID` if no pixel of the region is scored.
    """
    # Region and class of a pixel as one number, so that one count gives a histogram of each region.
    both = regions.ravel() * (VOID + 1) + classes.ravel()
    pixels = np.bincount(both, minlength=count * (VOID + 1)).reshape(count, -1)[:, :VOID]
    total, most = pixels.sum(axis=1), pixels.max(axis=1)
    majority = np.where(2 * most > total, pixels.argmax(axis=1), NO_CLASS)
    return np.where(total > 0, majority, VOID)


def region_means(
    features: Float32[np.ndarray, "patch dim"],
    label_map: Int64[np.ndarray, "grid_h grid_w"],
    count: int,
) -> Float32[np.ndarray, "region dim"]:
    """Mean feature of the patches of each of `count` regions; 0 for one without a patch."""
    labels = label_map.ravel()
    member = (np.arange(count)[:, None] == labels).astype(np.float32)
    means: np.ndarray = member @ features / np.maximum(member.sum(axis=1, keepdims=True), 1)
    return means


def nearest_alike(
    embeddings: Float[np.ndarray, "region dim"],
    classes: Int64[np.ndarray, " region"],
    images: Int64[np.ndarray, " region"],
    k: int,
) -> Bool[np.ndarray, "query {k}"]:
    """Whether each of the `k` nearest regions of other images is of the class of the query.

    Queries are the regions that have a class, in their order; the nearest comes first, of equals
    the first. Where other images have fewer than `k` regions, the rest of the row is False.

    Args:
        embeddings: Embeddings of all regions, at length 1.
        classes: Classes of all regions; no query is of `NO_CLASS`.
        images: Number of the image that each region is in.
        k: Number of the nearest regions.
    """
    known = classes != NO_CLASS
    same_class = np.zeros((len(classes), k), dtype=bool)
    for image in np.unique(images[known]):
        own = images == image
        queries = np.flatnonzero(own & known)
        similarity = embeddings[queries] @ embeddings.T
        similarity[:, own] = -np.inf
        near = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        alike = (classes[near] == classes[queries, None]) & ~own[near]
        same_class[queries, : near.shape[1]] = alike
    kept: np.ndarray = same_class[known]
    return kept


def recall_by_chance(
    classes: Int64[np.ndarray, " region"], images: Int64[np.ndarray, " region"], k: int
) -> float:
    """Recall of random results: the mean chance that one of `k` regions of other images is alike.

    nan without a query; otherwise as `nearest_alike`.
    """
    queries = np.flatnonzero(classes != NO_CLASS)
    others = len(classes) - np.bincount(images)[images[queries]]
    within = np.unique(np.stack([images, classes]), axis=1, return_inverse=True)[1].ravel()
    alike = np.bincount(classes)[classes[queries]] - np.bincount(within)[within[queries]]
    hits = [
        1 - comb(count - like, min(k, count)) / comb(count, min(k, count))
        for count, like in zip(others.tolist(), alike.tolist(), strict=True)
    ]
    return float(np.mean(hits)) if hits else float("nan")

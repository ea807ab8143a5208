"""Scores of one image, packed into a row; and means, deviations and differences over the rows.

A row is `{"image": name, method: scores, ...}`, scores in the order of `FIELDS`, null where a
method has none. The name of a method may end with `/SEED`: the methods that are alike before it
are one method with several seeds.
"""

from collections.abc import Mapping
from statistics import mean, stdev
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from benchmarks.report import Row
from heap.benchmark.metrics.boxes import any_hits, cells_box, centre_box, mask_boxes
from heap.benchmark.metrics.masks import mask_iou, pixel_accuracy
from heap.benchmark.metrics.resampling import bootstrap_interval
from heap.benchmark.truth import Example
from heap.images import Geometry, Picture
from heap.masks.guided_filter import GuidedFilter, resize
from heap.model.objects import largest_piece

FIELDS = ("iou", "accuracy", "iou_refined", "corloc", "corloc_any", "iou_oracle")
"""IoU and accuracy of the bilinear mask, IoU of the one that follows the edges of the image, hit of
the box of the largest part, hit of any of the first ten objects, IoU of the regions that are mostly
foreground by the ground truth. Fractions; a hit is 1."""

Scores = dict[str, float]


def read(example: Example) -> tuple[Picture, Bool[np.ndarray, "height width"]]:
    """The picture, and what is foreground in it.

    Raises:
        ImageError: if the image cannot be used.
        InputError: if its annotation is wrong.
    """
    picture = example.picture()
    foreground = example.truth(picture).foreground
    assert foreground is not None, "the data set has no masks"
    return picture, foreground


def score_saliency(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    picture: Picture,
    truth: Bool[np.ndarray, "height width"],
    threshold: float = 0.5,
) -> Scores:
    """Score a soft map on the patch grid, as it is and refined along the edges of the picture."""
    fine = GuidedFilter().guide(picture.pixels)(saliency[None])[0]
    size = truth.shape[0], truth.shape[1]
    mask, refined = (resize(plane, size) > threshold for plane in (saliency, fine))
    return {
        "iou": mask_iou(mask, truth),
        "accuracy": pixel_accuracy(mask, truth),
        "corloc": largest_part_hits(saliency, truth, threshold),
        "iou_refined": mask_iou(refined, truth),
    }


def largest_part_hits(
    saliency: Float32[np.ndarray, "grid_h grid_w"],
    truth: Bool[np.ndarray, "height width"],
    threshold: float = 0.5,
) -> bool:
    """Whether the box of the largest 4-connected part, on the grid, hits one of the truth."""
    part = largest_piece(saliency > threshold)
    rows, cols = part.shape
    geometry = Geometry(truth.shape[1], truth.shape[0], cols, rows, 1)
    return bool(part.any()) and any_hits(cells_box(part, geometry)[None], mask_boxes(truth))


def score_centre(truth: Bool[np.ndarray, "height width"]) -> Scores:
    """Score the centre box, to whole pixels."""
    box = centre_box(truth.shape[1], truth.shape[0]).round()
    x1, y1, x2, y2 = box.astype(int)
    mask = np.zeros_like(truth)
    mask[y1:y2, x1:x2] = True
    return {
        "iou": mask_iou(mask, truth),
        "accuracy": pixel_accuracy(mask, truth),
        "corloc": any_hits(box[None], mask_boxes(truth)),
    }


def pack(image: str, scores: Mapping[str, Mapping[str, float]]) -> Row:
    """The row of an image from the scores of each method."""
    return {"image": image} | {
        method: [None if name not in values else float(values[name]) for name in FIELDS]
        for method, values in scores.items()
    }


def rows_of(scores: Mapping[str, Mapping[str, Scores]]) -> list[Row]:
    """The rows from the scores of each method by image; all methods have the same images."""
    images = next(iter(scores.values()))
    return [
        pack(image, {name: values[image] for name, values in scores.items()}) for image in images
    ]


def seeds_of(rows: list[Row]) -> dict[str, list[str]]:
    """The methods, and the names in the rows that each has for its seeds."""
    seeds: dict[str, list[str]] = {}
    for name in rows[0]:
        if name != "image":
            seeds.setdefault(name.partition("/")[0], []).append(name)
    return seeds


def values(rows: list[Row], name: str, field: str) -> np.ndarray:
    """One score of one method and seed, image by image."""
    return np.array([row[name][FIELDS.index(field)] for row in rows], dtype=np.float64)


def means(rows: list[Row]) -> dict[str, Any]:
    """Mean over images of each score of each method.

    With several seeds it is the mean over these, and beside it the sample standard deviation.
    """
    summary: dict[str, Any] = {}
    for method, names in seeds_of(rows).items():
        summary[method] = {}
        had = [field for at, field in enumerate(FIELDS) if rows[0][names[0]][at] is not None]
        for field in had:
            per_seed = [float(values(rows, name, field).mean()) for name in names]
            summary[method][field] = mean(per_seed)
            if len(per_seed) > 1:
                summary[method][f"{field}_std"] = stdev(per_seed)
    return summary


def difference(rows: list[Row], ours: str, theirs: str, field: str) -> dict[str, Any]:
    """Mean difference of two methods, and its interval by the paired bootstrap over images.

    The scores of a method with several seeds are averaged for each image first.
    """
    names = seeds_of(rows)
    pair = [
        np.mean([values(rows, name, field) for name in names[method]], axis=0)
        for method in (ours, theirs)
    ]
    gap = np.asarray(pair[0] - pair[1], dtype=np.float64)
    return {"mean": float(gap.mean()), "interval": list(bootstrap_interval(gap))}


def share(rows: list[Row], field: str) -> dict[str, Any]:
    """Share of the rows in which `field` is true, with its interval."""
    hits = np.array([row[field] for row in rows], dtype=np.float64)
    return {
        "count": int(hits.sum()),
        "of": len(rows),
        "share": float(hits.mean()),
        "interval": list(bootstrap_interval(hits)),
    }

"""Patches of outlying norm, which large vision transformers without registers have: are there any?

Darcet et al. (ICLR 2024) found that a few patches of the background, with norms far above all
others, hold what the network knows of the whole image. Here norms are those of the last block's
output before the final LayerNorm, which takes them away. A patch is an outlier if its norm is above
`RATIO` times the median of its image. Masks are scored as they are, and with each outlier's
feature replaced by the mean of the patches around it.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from benchmarks.common import DATA, Data
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.scoring import read, score_saliency
from benchmarks.study import Measured, Study
from heap.benchmark.datasets import open_dataset
from heap.benchmark.truth import Example
from heap.features.describe import PatchFeatures, describe
from heap.model.heap import Heap

RATIO = 2.0
EVERY = 5
"""Of the tune photos, one in so many is taken."""


def bench(*, data: Data = DATA, model: str = "embedded") -> Measured:
    """Count outliers in tune photos, and score the masks with and without them.

    Args:
        data: Folder with `duts-tr`.
        model: Alias or folder of a fitted model.
    """
    examples = open_dataset(f"folder:{data}/duts-tr/tune").examples[::EVERY]
    heap = Heap.from_pretrained(model)
    return Measured(
        data=about_data("duts-tr/tune", [example.image for example in examples]),
        encoder=about_encoder(heap),
        rows=[measure(heap, example) for example in examples],
    )


def measure(heap: Heap, example: Example) -> Row:
    """Outliers of one photo, and the scores of its masks."""
    picture, truth = read(example)
    config = heap.config.features
    (norms,) = describe(heap.encoder, [picture], replace(config, facet="token"))
    (features,) = describe(heap.encoder, [picture], config)
    length = norms.patches.norm(dim=-1)
    ratio = length / length.median()
    outlying = ratio > RATIO
    usual, mended = (
        score_saliency(heap.analyse(image).saliency, picture, truth)
        for image in (features, mend(features, outlying))
    )
    return {
        "image": example.key, "patches": len(ratio), "outliers": int(outlying.sum()),
        "largest": float(ratio.max()), "iou": usual["iou"], "corloc": usual["corloc"],
        "iou_mended": mended["iou"], "corloc_mended": mended["corloc"],
    }  # fmt: skip


def mend(image: PatchFeatures, outlying: Bool[Tensor, " patch"]) -> PatchFeatures:
    """Replace outlying patches by the mean of the others among the eight around each."""
    kept = (~outlying).float().reshape(1, 1, *image.grid)
    grid = image.patches.T.reshape(1, -1, *image.grid)
    count = _around(kept)
    around = _around(grid * kept) / count.clamp_min(1)
    replaced = torch.where((kept > 0) | (count == 0), grid, around)
    return replace(image, patches=replaced.flatten(2)[0].T.contiguous())


def _around(grid: Float[Tensor, "1 dim h w"]) -> Float[Tensor, "1 dim h w"]:
    """Sum over the patch and the eight around it; nothing lies beyond the border."""
    return F.avg_pool2d(grid, 3, stride=1, padding=1, divisor_override=1)


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Share of outliers, the largest norm, and means of the scores."""
    means = ("iou", "corloc", "iou_mended", "corloc_mended")
    return {
        "images": len(rows),
        "share_of_patches": sum(row["outliers"] for row in rows) / sum(
            row["patches"] for row in rows),
        "images_with_any": sum(row["outliers"] > 0 for row in rows),
        "largest": float(np.max([row["largest"] for row in rows])),
    } | {name: fmean(row[name] for row in rows) for name in means}  # fmt: skip


STUDY = Study("saliency-found-v1", bench, summarise)

"""`--prior auto`: is the prior that it chooses without a label the best one by true masks?

Heads are fitted by every prior on encoders of several kinds, one seed each. The criterion looks at
the photos of the fit; true masks of other photos, on which nothing is reported, say what is best.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import DATA, RUNS, Data, images_in
from benchmarks.heads import score_head, write_encoder
from benchmarks.report import Row, about_data, about_encoder, rows_by
from benchmarks.study import Measured, Study
from heap.base.errors import FitError
from heap.base.progress import silent
from heap.benchmark.datasets import open_dataset
from heap.config import FeatureConfig, FitConfig, HeadConfig, Prior
from heap.encoder.registry import recipe
from heap.features.store import FeatureStore
from heap.fitting.choosing import choose, make_squares, measure_fit
from heap.fitting.collect import Collected, collect
from heap.fitting.command import fit
from heap.images import list_images
from heap.model.heap import Heap

PHOTOS = 300
"""Heads are fitted on so many, spread evenly."""
PRIORS: tuple[Prior, ...] = ("none", "self", "found")


@dataclass(frozen=True)
class Case:
    """Features of an encoder, and the priors of which one is to be chosen."""

    features: FeatureConfig
    head: HeadConfig
    priors: tuple[Prior, ...] = PRIORS
    patches: int = 512


def cases(encoders: Path, random: Path) -> dict[str, Case]:
    """Encoders that are studied, by name; `random` is the folder of one without any training."""
    small, tiny = recipe("embedded-small"), str(encoders / "vit-tiny-supervised")
    keys = FeatureConfig(encoder=tiny, layer=8, facet="key", resolution=448, square=True)
    return {
        "DINOv2-S, restored": Case(
            recipe("embedded").features("embedded"), HeadConfig(centred=False)
        ),
        "supervised ViT-Ti": Case(keys, HeadConfig()),
        "embedded-small": Case(
            small.features("embedded-small"), HeadConfig(groups=16), (*PRIORS, "encoder"), 400
        ),
        "random weights": Case(small.features(str(random)), HeadConfig(groups=16), PRIORS, 400),
    }


def bench(
    *,
    data: Data = DATA,
    encoders: Path = DATA.parent / "encoders",
    encoder: Sequence[str] = (),
    work: Path = RUNS / "bench_auto",
    limit: int = 100,
) -> Measured:
    """Fit, compare without labels, and score by true masks.

    Args:
        data: Folder with `duts-tr/tune` and `duts-tr/fit`.
        encoders: Folder with the supervised ViT-Ti.
        encoder: Names of those to do; all by default.
        work: Folder for models and features; what is there already is used.
        limit: Score on at most so many tune photos.
    """
    tune = f"folder:{data / 'duts-tr' / 'tune'}"
    used = open_dataset(tune, limit).examples
    unlabelled = images_in(data / "duts-tr" / "fit")
    unlabelled = list(islice(unlabelled, 0, None, max(1, len(unlabelled) // PHOTOS)))
    random = work / "random-weights"
    if not random.exists():
        write_encoder(random, 0)
    rows, described = list[Row](), dict[str, Row]()
    for name, case in cases(encoders, random).items():
        for prior in case.priors if not encoder or name in encoder else ():
            about = {"encoder": name, "prior": prior}
            model = work / f"{name}-{prior}"
            try:
                heap = fitted(case, prior, unlabelled, model)
            except FitError as error:
                rows.append(about | {"refused": str(error)})
                continue
            described[name] = about_encoder(heap) | {"name": name}
            photos = features_of(heap, unlabelled, work)
            follows = measure_fit(heap, photos, make_squares(photos)).tolist()
            rows += [
                about | {"photo": number, "follows": follows_edges}
                for number, follows_edges in enumerate(follows)
            ]
            result = work / f"{name}-{prior}.json.gz"
            scores = score_head(result, case.features, tune, model=model, limit=limit)
            rows += [
                about | {"image": image, "iou": of["iou"], "corloc": float(of["corloc"])}
                for image, of in scores.items()
            ]
    return Measured(
        data=about_data("duts-tr/tune", [example.image for example in used]),
        encoder=list(described.values()),
        rows=rows,
    )


def features_of(heap: Heap, photos: Sequence[Path], work: Path) -> Collected:
    """Features for a head, from the store where they are there already."""
    store = FeatureStore(work / "cache", heap.encoder, heap.config.features)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return collect(list(list_images(photos)), heap.encoder, store, pool, silent)


def fitted(case: Case, prior: Prior, photos: Sequence[Path], out: Path) -> Heap:
    """The head of a case by one prior; what is there already is used."""
    if (out / "config.json").exists():
        return Heap.from_pretrained(out)
    usual = recipe("embedded")
    return fit(
        [str(photo) for photo in photos],
        out,
        features=case.features,
        head=case.head,
        losses=replace(usual.losses, prior=prior),
        config=FitConfig(steps=150, batch=24, patches=case.patches),
        cache=out.parent / "cache",
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """For every encoder: how well masks follow their images, how good they are, and the choice."""
    summary: dict[str, Any] = {}
    for name, own in rows_by(rows, "encoder").items():
        heads = {prior: _head(of) for prior, of in rows_by(own, "prior").items()}
        follows = {prior: head.pop("all") for prior, head in heads.items()}

        def try_out(prior: Prior, follows: dict[str, Any] = follows) -> np.ndarray:
            if follows[prior] is None:
                raise FitError("refused")
            return np.array(follows[prior])

        scored = {prior: head["iou"] for prior, head in heads.items() if "iou" in head}
        summary[name] = {
            "priors": heads,
            "chosen": choose(list(heads), try_out)[0] if scored else None,
            "best": max(scored, key=lambda prior: scored[prior]) if scored else None,
        }
    return summary


def _head(rows: list[Row]) -> dict[str, Any]:
    """Means over the rows of one head; whether it was refused."""
    follows = [row["follows"] for row in rows if "follows" in row]
    if not follows:
        return {"refused": rows[0]["refused"], "all": None}
    images = [row for row in rows if "image" in row]
    return {
        "follows": float(np.mean(follows)),
        "iou": float(np.mean([row["iou"] for row in images])),
        "corloc": float(np.mean([row["corloc"] for row in images])),
        "all": follows,
    }


STUDY = Study("saliency-grid-v1", bench, summarise)

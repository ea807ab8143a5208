"""Results made by hand: every number in them is chosen by the test that makes them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from heap.benchmark.results import (
    AboutData,
    AboutEncoder,
    AboutMethod,
    Cost,
    Failure,
    ImageRow,
    Metric,
    Results,
    Scores,
)

Rows = Sequence[Mapping[str, Any]]
"""Scores of images 0, 1, ..."""
FOUND = "saliency-found-v1"
CORLOC = "corloc-found-v1"
LOSSES = {"losses": {"inter": 1.0, "prior": "found"}, "head": {"groups": 12}}


def method(
    name: str = "tokencut", seed: int | None = None, *, label: str = "", **settings: Any
) -> AboutMethod:
    fit = None if seed is None else {"images": 10, "seconds": 100.0 + seed, "parameters": 385}
    return AboutMethod(name=name, label=label or name, settings=settings, seed=seed, fit=fit)


def encoder(label: str = "embedded") -> AboutEncoder:
    return AboutEncoder(
        name=label, label=label, fingerprint="f" * 16, features={"layer": -1}, precision="fp32"
    )


def data(label: str = "half", *, name: str = "ecssd", images: int = 2, sha: str = "a" * 16,
         failed: tuple[Failure, ...] = ()) -> AboutData:  # fmt: skip
    return AboutData(name=name, label=label, images=images, sha256=sha, failed=failed)


def metrics(**values: float | tuple[float, float, float] | None) -> dict[str, Metric]:
    """Each a value, a value with the ends of its interval, or none."""
    return {
        name: Metric(value=each[0], low=each[1], high=each[2])
        if isinstance(each, tuple)
        else Metric(value=each)
        for name, each in values.items()
    }


def results(
    summaries: Mapping[str, Mapping[str, Metric]] | None = None,
    rows: Mapping[str, Rows] | None = None,
    *,
    method: AboutMethod | None = None,
    encoder: AboutEncoder | None = None,
    data: AboutData | None = None,
    notes: Mapping[str, Any] | None = None,
    **changed: Any,
) -> Results:
    """A whole result; protocols without rows get two of no content."""
    summaries = summaries or {name: {} for name in rows or {"saliency-found-v1": ()}}
    rows = {name: (rows or {}).get(name, ({}, {})) for name in summaries}
    count = max(map(len, rows.values()))
    whole = Results(
        command="heap evaluate",
        method=method or _method(),
        encoder=encoder or _encoder(),
        data=data or _data(),
        versions={"heap": "0.1.0"},
        machine={"cores": 2, "processor": "abacus"},
        cost=Cost(features_seconds=0.04, method_seconds=0.0125, peak_mb=812.0),
        protocols={
            name: Scores(images=len(rows[name]), metrics=dict(each), notes=dict(notes or {}))
            for name, each in summaries.items()
        },
        rows=tuple(_row(number, rows) for number in range(count)),
    )
    return replace(whole, **changed)


def _row(number: int, rows: Mapping[str, Rows]) -> ImageRow:
    scores = {name: dict(each[number]) for name, each in rows.items() if number < len(each)}
    return ImageRow(image=str(number), split="all", seconds=0.0125, peak_mb=812.0, scores=scores)


def scored(iou: float | tuple[float, float, float], corloc: float = 0.5, **about: Any) -> Results:
    return results({FOUND: metrics(iou=iou), CORLOC: metrics(corloc=corloc)}, **about)


def heap(seed: int, iou: float, corloc: float = 0.5, **settings: Any) -> Results:
    told = {**LOSSES, "fit": {"steps": 200, "seed": seed}, **settings}
    return scored(iou, corloc, method=method("heap", seed, **told))


def table(text: str, title: str) -> dict[str, list[str]]:
    """The cells of the table with a title, by its first two columns."""
    part = re.split(r"^### ", text, flags=re.MULTILINE)
    (found,) = (each for each in part if each.startswith(title + "\n"))
    rows = [line.strip("| ").split(" | ") for line in found.splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1
    return {f"{row[0]}/{row[1]}": row[2:] for row in rows if row[0] != "---"}


_method, _encoder, _data = method, encoder, data

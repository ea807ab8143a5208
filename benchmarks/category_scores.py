"""Scores of categories of objects, and of clusters of the images that they are in.

The rows of `categories`: the images; the objects of each head, with image and class; the
clusters of these objects; the clusters of all images. Numbers are in one text, in order.
"""

from collections.abc import Iterator, Sequence
from statistics import mean, stdev
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from benchmarks.agreement import SCORES, agreement, tables
from benchmarks.report import Row, gaps, rows_by
from benchmarks.tuned import LABELS
from benchmarks.whole_images import VARIANTS
from heap.benchmark.results.estimate import OfSums

AUTO = "auto"
COUNTS = ("8", "12", "20", AUTO)
APART = ("together", "each alone", "left out")
"""Treatment of objects that `heap categories` keeps apart: one more cluster, a cluster each, or
not scored, neither ours nor those of the opponent."""
RESAMPLES = 500


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Scores by encoder and number of categories, means over heads and seeds of the clustering."""
    images = len(next(row for row in rows if row["kind"] == "images")["images"].split())
    return {
        name: {
            "matched": _objects(of),
            "k": {count: _scores(of, count, images) for count in COUNTS},
        }
        for name, of in rows_by(rows, "encoder").items()
    }


def _objects(rows: list[Row]) -> dict[str, float]:
    """Mean number of objects over the heads: found, matched, and kept apart by the sorting."""
    heads = [row for row in rows if row["kind"] == "objects"]
    return {
        "found": mean(row["found"] for row in heads),
        "matched": mean(len(row["classes"].split()) for row in heads),
        "apart_of_found": mean(row["apart"] for row in rows if row["kind"] == "sorted"),
    }


def _scores(rows: list[Row], count: str, images: int) -> dict[str, Any]:
    ours = [row for row in rows if row["kind"] == "sorted" and row["k"] == count]
    pairs = {
        (variant, apart): [_pair(rows, row, variant, apart, images) for row in ours]
        for variant in VARIANTS
        for apart in APART
    }
    first = next(iter(VARIANTS))
    theirs = {name: _means([pair[1] for pair in pairs[name, APART[0]]]) for name in VARIANTS}
    strongest = max(VARIANTS, key=lambda name: theirs[name]["nmi"])
    return {
        "categories": mean(row["number"] for row in ours),
        "ours": {apart: _means([pair[0] for pair in pairs[first, apart]]) for apart in APART},
        "whole": theirs,
        "strongest": strongest,
        "ahead_of": {name: _ahead(pairs[name, APART[0]]) for name in VARIANTS},
        "ahead_of_strongest_left_out": _ahead(pairs[strongest, APART[2]]),
    }


Tables = Float64[np.ndarray, "image class cluster"]


def _pair(
    rows: list[Row], row: Row, variant: str, apart: str, images: int
) -> tuple[Tables, Tables]:
    """Tables of one sorting of the objects, and of the same objects by clusters of their images."""
    objects = next(r for r in rows if r["kind"] == "objects" and r["head"] == row["head"])
    wanted = {"variant": variant, "number": row["number"], "seed": row["seed"]}
    whole = next(r for r in rows if r["kind"] == "whole" and wanted.items() <= r.items())
    of, mine = _unpacked(objects["images"]), _unpacked(row["clusters"])
    names, classes = np.unique(objects["classes"].split(), return_inverse=True)
    inherited = _unpacked(whole["clusters"])[of]
    alone = np.flatnonzero(mine == 0)
    if apart == "each alone":
        mine[alone] = mine.max() + 1 + np.arange(len(alone))
    elif apart == "left out":
        mine[alone] = inherited[alone] = -1
    shape = (images, len(names), int(max(mine.max(), row["number"])) + 1)
    ours, theirs = (tables(of, classes, sorting, shape) for sorting in (mine, inherited))
    return ours, theirs


def _means(counts: Sequence[Tables]) -> dict[str, float]:
    """Mean over the tables, and the sample standard deviation."""
    scores = np.array([agreement(tables.sum(axis=0)) for tables in counts])
    means = dict(zip(SCORES, scores.mean(axis=0).tolist(), strict=True))
    spread = [stdev(column) if len(column) > 1 else 0.0 for column in scores.T.tolist()]
    return means | {
        f"{name}_std": deviation for name, deviation in zip(SCORES, spread, strict=True)
    }


def _ahead(pairs: Sequence[tuple[Tables, Tables]]) -> dict[str, Any]:
    """Mean difference and its interval by the paired bootstrap over images."""
    ours, theirs = zip(*pairs, strict=True)
    return gaps(_values(ours), _values(theirs))


def _values(counts: Sequence[Tables]) -> OfSums:
    """Means over tables whose images can be drawn."""
    classes, clusters = (max(tables.shape[axis] for tables in counts) for axis in (1, 2))
    same = np.stack(
        [np.pad(tables, ((0, 0), (0, classes - tables.shape[1]), (0, clusters - tables.shape[2])))
         for tables in counts], axis=1,
    )  # fmt: skip

    def compute(total: Float64[np.ndarray, " state"]) -> list[float]:
        scores: list[float] = agreement(total.reshape(same.shape[1:])).mean(axis=0).tolist()
        return scores

    return OfSums(SCORES, same.reshape(len(same), -1), compute, RESAMPLES)


def table(summary: dict[str, Any]) -> str:
    """The summary as tables in Markdown, one for each encoder; figures are percentages."""
    parts = []
    for name, scores_of in summary.items():
        about = ", ".join(
            f"{what.replace('_', ' ')} {n:.0f}" for what, n in scores_of["matched"].items()
        )
        parts += [
            f"## {LABELS[name]}", "",
            f"Objects, mean over heads: {about}.", "",
            "| k | clusters of | " + " | ".join(score.upper() for score in SCORES) + " |",
            "|---|---|" + "---|" * len(SCORES),
        ]  # fmt: skip
        for count, scores in scores_of["k"].items():
            title = f"{count} ({scores['categories']:.1f})" if count == AUTO else count
            parts += [_line(title, *row) for row in _lines(scores)]
        parts.append("")
    return "\n".join(parts)


def _lines(scores: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for apart in APART:
        yield f"objects, those kept apart {apart}", _plain(scores["ours"][apart])
    for variant, values in scores["whole"].items():
        yield f"whole images, {variant}", _plain(values)
    for variant, ahead in scores["ahead_of"].items():
        strongest = " (strongest)" if variant == scores["strongest"] else ""
        yield f"objects less whole images, {variant}{strongest}", _gaps(ahead)
    yield "the same, strongest, kept apart left out", _gaps(scores["ahead_of_strongest_left_out"])


def _plain(values: dict[str, float]) -> list[str]:
    return [f"{100 * values[name]:.1f} ± {100 * values[f'{name}_std']:.1f}" for name in SCORES]


def _gaps(values: dict[str, Any]) -> list[str]:
    return [
        f"{100 * values[name]['mean']:+.1f} ({100 * values[name]['interval'][0]:.1f} to "
        f"{100 * values[name]['interval'][1]:.1f})"
        for name in SCORES
    ]


def _line(title: str, name: str, cells: list[str]) -> str:
    return f"| {' | '.join([title, name, *cells])} |"


def _unpacked(text: str) -> Int64[np.ndarray, " value"]:
    return np.array(text.split(), dtype=np.int64)

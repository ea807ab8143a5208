"""From the rows of all images to a result."""

import hashlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from heap.errors import InputError
from heap.evaluation.bench import Bench
from heap.evaluation.protocols import Protocol
from heap.evaluation.results import (
    AboutData,
    AboutEncoder,
    AboutMethod,
    Cost,
    Failure,
    ImageRow,
    Metric,
    Results,
    Scores,
    machine,
    rounded,
    versions,
)

Rows = Mapping[str, Mapping[str, Any]]
"""By image: what a journal holds of each."""


def summarise(
    method: AboutMethod,
    bench: Bench,
    data: tuple[str, str],
    protocols: Sequence[Protocol],
    rows: Rows,
) -> Results:
    """The result of a method on `data` (name and label).

    Raises:
        InputError: if no image could be used.
    """
    good = {key: row for key, row in rows.items() if "failed" not in row}
    if not good:
        first = next(iter(rows.items()), ("none", {"failed": ["", "no image"]}))
        raise InputError(f"not one image could be used; {first[0]}: {first[1]['failed'][1]}")
    finished: dict[str, dict[str, Any]] = {key: {} for key in good}
    scores = {each.name: _scores(each, good, finished) for each in protocols}
    return Results(
        command=shlex.join(["heap", *sys.argv[1:]]),
        method=method,
        encoder=_about_encoder(bench),
        data=_about_data(data, rows),
        versions=versions(),
        machine=machine(),
        cost=_cost(good),
        protocols=scores,
        rows=tuple(
            ImageRow(
                image=key,
                split=row["split"],
                seconds=row["seconds"],
                peak_mb=row["peak_mb"],
                scores=finished[key],
            )
            for key, row in good.items()
        ),
    )


def _scores(protocol: Protocol, rows: Rows, finished: Mapping[str, dict[str, Any]]) -> Scores:
    """Put the final rows of a protocol into `finished`; its values, computed from these."""
    keys = [key for key, row in rows.items() if protocol.name in row["scores"]]
    final, notes = protocol.finish([rows[key]["scores"][protocol.name] for key in keys])
    final = rounded(final)
    for key, row in zip(keys, final, strict=True):
        finished[key][protocol.name] = row
    metrics = {
        name: Metric.of(estimate)
        for values in protocol.values(final, notes)
        for name, estimate in values.estimate().items()
    }
    return Scores(images=len(keys), metrics=metrics, notes=notes)


def _about_data(data: tuple[str, str], rows: Rows) -> AboutData:
    whole = hashlib.sha256()
    for key in sorted(rows):
        whole.update(f"{key} {rows[key].get('digest')}\n".encode())
    failed = tuple(
        Failure(image=key, stage=row["failed"][0], reason=row["failed"][1])
        for key, row in rows.items()
        if "failed" in row
    )
    name, label = data
    return AboutData(
        name=name, label=label, images=len(rows), sha256=whole.hexdigest(), failed=failed
    )


def _about_encoder(bench: Bench) -> AboutEncoder:
    return AboutEncoder(
        name=Path(bench.encoder.name).name,
        label=bench.encoder_label,
        fingerprint=bench.encoder.fingerprint,
        features=asdict(bench.features),
        precision=bench.encoder.precision,
    )


def _cost(rows: Rows) -> Cost:
    fresh = [row["features_seconds"] for row in rows.values() if row["features_seconds"]]
    return Cost(
        features_seconds=float(np.mean(fresh)) if fresh else None,
        method_seconds=float(np.mean([row["seconds"] for row in rows.values()])),
        peak_mb=max(row["peak_mb"] for row in rows.values()),
    )

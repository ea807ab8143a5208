"""Summary of the rows of all images in a result."""

import hashlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from heap.base.errors import ImageError, InputError
from heap.benchmark.protocols import Protocol
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
    machine_info,
    package_versions,
    round_floats,
)
from heap.benchmark.run.bench import Bench
from heap.benchmark.run.journal import Row

Rows = Mapping[str, Row]
"""Rows of a journal by image."""


def summarise(
    method: AboutMethod,
    bench: Bench,
    data: tuple[str, str],
    protocols: Sequence[Protocol],
    rows: Mapping[str, Row | ImageError],
) -> Results:
    """Make the result of a method on `data` (name and label), of which some images may have failed.

    Raises:
        InputError: if a protocol is left without an image.
    """
    good = {key: row for key, row in rows.items() if not isinstance(row, ImageError)}
    failed = [row for row in rows.values() if isinstance(row, ImageError)]
    for protocol in protocols:
        _check_splits(protocol, good, failed)
    finished: dict[str, dict[str, Any]] = {key: {} for key in good}
    scores = {protocol.name: _score_protocol(protocol, good, finished) for protocol in protocols}
    return Results(
        command=shlex.join(["heap", *sys.argv[1:]]),
        method=method,
        encoder=_about_encoder(bench),
        data=_about_data(data, rows, failed),
        versions=package_versions(),
        machine=machine_info(),
        cost=_mean_cost(good),
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


def _score_protocol(
    protocol: Protocol, rows: Rows, finished: Mapping[str, dict[str, Any]]
) -> Scores:
    """Compute the values of a protocol from its final rows, which are put into `finished`."""
    keys = [key for key, row in rows.items() if protocol.name in row["scores"]]
    final, notes = protocol.finish([rows[key]["scores"][protocol.name] for key in keys])
    final = round_floats(final)
    for key, row in zip(keys, final, strict=True):
        finished[key][protocol.name] = row
    metrics = {
        name: Metric.of(estimate)
        for values in protocol.values(final, notes)
        for name, estimate in values.estimate().items()
    }
    return Scores(images=len(keys), metrics=metrics, notes=notes)


def _check_splits(protocol: Protocol, rows: Rows, failed: Sequence[ImageError]) -> None:
    """Raise InputError if a split that the protocol looks at has no image left."""
    left = {row["split"] for row in rows.values() if protocol.name in row["scores"]}
    missing = [split for split in protocol.splits or () if split not in left]
    if left and not missing:
        return
    which = f"image of {' or '.join(missing)}" if missing else "image"
    first = f"; {failed[0]}" if failed else ""
    raise InputError(f"protocol {protocol.name}: not one {which} could be used{first}")


def _about_data(
    data: tuple[str, str], rows: Mapping[str, Row | ImageError], failed: Sequence[ImageError]
) -> AboutData:
    whole = hashlib.sha256()
    for key, row in sorted(rows.items(), key=lambda item: item[0]):
        digest = None if isinstance(row, ImageError) else row["digest"]
        whole.update(f"{key} {digest}\n".encode())
    name, label = data
    return AboutData(
        name=name,
        label=label,
        images=len(rows),
        sha256=whole.hexdigest(),
        failed=tuple(Failure(image=e.key, stage=e.stage, reason=e.reason) for e in failed),
    )


def _about_encoder(bench: Bench) -> AboutEncoder:
    return AboutEncoder(
        name=Path(bench.encoder.name).name,
        label=bench.encoder_label,
        fingerprint=bench.encoder.fingerprint,
        features=asdict(bench.features),
        precision=bench.encoder.precision,
    )


def _mean_cost(rows: Rows) -> Cost:
    fresh = [row["features_seconds"] for row in rows.values() if row["features_seconds"]]
    return Cost(
        features_seconds=float(np.mean(fresh)) if fresh else None,
        method_seconds=float(np.mean([row["seconds"] for row in rows.values()])),
        peak_mb=max(row["peak_mb"] for row in rows.values()),
    )

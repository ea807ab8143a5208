"""`heap evaluate`: methods on the same images and features, scored by named protocols."""

import hashlib
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from heap.cache import cache_dir
from heap.config import FeatureConfig, Precision
from heap.encoder.encoder import Encoder
from heap.errors import ImageError, InputError
from heap.evaluation.journal import Journal
from heap.evaluation.learning import Learned, Setup
from heap.evaluation.memory import forget_peak, peak_mb
from heap.evaluation.methods import MethodCard, Settings
from heap.evaluation.outcome import Outcome
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
    write_results,
)
from heap.evaluation.truth import Dataset, Example, Truth
from heap.features import FeatureStore, PatchFeatures, describe
from heap.images import Picture
from heap.interrupt import Interruptible
from heap.peers.finding import Observed
from heap.progress import OnProgress, silent
from heap.reading import ahead

_STAGE = "evaluating"
_READ_AHEAD = 4


@dataclass(frozen=True)
class Entry:
    """One method in an evaluation, and where its results go."""

    card: MethodCard
    out: Path
    settings: Settings = field(default_factory=dict)
    seed: int = 0
    model: Path | None = None
    """For a method that learns: where its model is or will be."""
    label: str = ""
    """As tables print it; empty for that of the method."""


@dataclass(frozen=True)
class Bench:
    """What all methods of an evaluation share."""

    protocols: Sequence[Protocol]
    data: Dataset
    features: FeatureConfig
    photos: tuple[str, ...] = ()
    """Unlabelled images for methods that learn."""
    encoder_label: str = ""
    data_label: str = ""
    cache: Path | None = None
    device: str = "cpu"
    precision: Precision = "auto"


@dataclass(frozen=True)
class _Read:
    """An image with its annotation, or why there is none."""

    example: Example
    picture: Picture | ImageError
    truth: Truth | None


def evaluate(
    bench: Bench, entries: Sequence[Entry], *, on_progress: OnProgress = silent
) -> list[Results]:
    """Score each method, in one pass over the images.

    An image that cannot be used is listed in the results and left out of them; an annotation that
    is wrong stops the evaluation. Until the end, rows are kept beside each result in a file of
    their own; the same call goes on where an earlier one was stopped.

    Raises:
        InputError: if a protocol cannot be used on the data, or data, models or options are wrong.
    """
    for protocol in bench.protocols:
        protocol.check(bench.data)
    encoder = Encoder.load(bench.features.encoder, device=bench.device, precision=bench.precision)
    store = FeatureStore(bench.cache or cache_dir() / "features", encoder, bench.features)
    with Interruptible() as stop, ExitStack() as stack:

        def on_stage(stage: str, done: int, total: int | None) -> None:
            on_progress(stage, done, total)
            stop.check()

        runs = []
        for entry in entries:
            setup = Setup(
                encoder, bench.features, store, bench.photos, entry.model, entry.seed, on_stage
            )
            runs.append(_Run(bench, entry, encoder, setup))
        pool = stack.enter_context(ThreadPoolExecutor(os.cpu_count()))
        examples = _used(bench)
        read = ahead(examples, _read, pool, _READ_AHEAD)
        for number, each in enumerate(read):
            on_stage(_STAGE, number, len(examples))
            _score(each, runs, encoder, store)
        on_progress(_STAGE, len(examples), len(examples))
    return [run.finish() for run in runs]


class _Run:
    """One method: its journal, and in the end its results."""

    def __init__(self, bench: Bench, entry: Entry, encoder: Encoder, setup: Setup) -> None:
        self.bench, self.entry, self.encoder = bench, entry, encoder
        learned = _learned(entry, setup)
        self.method = learned.method
        self.about = AboutMethod(
            name=entry.card.name,
            label=entry.label or entry.card.label,
            settings=learned.settings,
            seed=entry.seed if entry.card.learn else None,
            fit=learned.fit,
        )
        made_with = {
            "method": asdict(self.about),
            "encoder": encoder.fingerprint,
            "features": asdict(bench.features),
            "data": {"name": bench.data.name, "place": str(bench.data.place),
                     "images": len(_used(bench))},
            "protocols": [protocol.name for protocol in bench.protocols],
        }  # fmt: skip
        partial_name = entry.out.with_name(entry.out.name + ".partial.jsonl")
        self.journal = Journal(partial_name, made_with)

    def needs(self, example: Example) -> bool:
        return example.key not in self.journal.rows

    def fail(self, example: Example, error: ImageError) -> None:
        self.journal.add(example.key, {"failed": [error.stage, error.reason]})

    def score(self, read: _Read, picture: Picture, seen: "_Seen") -> None:
        """Run the method on an image and keep its row."""
        assert read.truth is not None
        forget_peak()
        began = time.perf_counter()
        with torch.inference_mode():
            finding = self.method(seen.observed)
        seconds, peak = time.perf_counter() - began, peak_mb()
        outcome = Outcome(
            seen.observed, finding, read.truth, picture.width, picture.height, seen.shared
        )
        row: dict[str, Any] = {
            "split": read.example.split,
            "digest": seen.digest,
            "seconds": seconds,
            "features_seconds": seen.seconds,
            "peak_mb": peak,
            "scores": {
                protocol.name: protocol.measure(outcome, read.example.split)
                for protocol in self.bench.protocols
                if protocol.splits is None or read.example.split in protocol.splits
            },
        }
        self.journal.add(read.example.key, rounded(row, 6))

    def finish(self) -> Results:
        """Make the results of all rows and write them."""
        kept = self.journal.rows
        good = {key: row for key, row in kept.items() if "failed" not in row}
        if not good:
            raise InputError(f"not one image of {self.bench.data.place} could be used")
        finished: dict[str, dict[str, Any]] = {key: {} for key in good}
        protocols = {}
        for protocol in self.bench.protocols:
            protocols[protocol.name] = _summarise(protocol, good, finished)
        results = Results(
            command=shlex.join(["heap", *sys.argv[1:]]),
            method=self.about,
            encoder=_about_encoder(self.bench, self.encoder),
            data=_about_data(self.bench, kept),
            versions=versions(),
            machine=machine(),
            cost=_cost(good),
            protocols=protocols,
            rows=tuple(
                ImageRow(
                    image=key, split=row["split"], seconds=row["seconds"], peak_mb=row["peak_mb"],
                    scores=finished[key],
                )
                for key, row in good.items()
            ),
        )  # fmt: skip
        write_results(results, self.entry.out)
        self.journal.remove()
        return results


def _summarise(
    protocol: Protocol,
    rows: Mapping[str, Mapping[str, Any]],
    finished: Mapping[str, dict[str, Any]],
) -> Scores:
    """Finish the rows of a protocol into `finished`, and compute its values from these."""
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


@dataclass(frozen=True)
class _Seen:
    """An image as all methods see it."""

    observed: Observed
    digest: str
    seconds: float | None
    """Time that its features took; None if they were there."""
    shared: dict[str, Any]
    """What does not depend on the method, see `Outcome`."""


def _score(read: _Read, runs: Sequence[_Run], encoder: Encoder, store: FeatureStore) -> None:
    waiting = [run for run in runs if run.needs(read.example)]
    if not waiting:
        return
    if isinstance(read.picture, ImageError):
        for run in waiting:
            run.fail(read.example, read.picture)
        return
    features, seconds = _features(read.picture, encoder, store)
    assert read.truth is not None
    digest = _digest(read.picture, read.truth)
    seen = _Seen(Observed(features, read.picture.pixels), digest, seconds, {})
    for run in waiting:
        run.score(read, read.picture, seen)


def _features(
    picture: Picture, encoder: Encoder, store: FeatureStore
) -> tuple[PatchFeatures, float | None]:
    """Features of a picture, always as the store gives them: in half precision."""
    found = store.get(picture.digest)
    if found is not None:
        return found, None
    began = time.perf_counter()
    fresh = describe(encoder, [picture], store.config, boundary=True)[0]
    seconds = time.perf_counter() - began
    store.put(picture.digest, fresh)
    return store.get(picture.digest) or fresh, seconds


def _read(example: Example) -> _Read:
    try:
        picture = example.picture()
    except ImageError as error:
        return _Read(example, error, None)
    return _Read(example, picture, example.truth(picture))


def _used(bench: Bench) -> list[Example]:
    """The images that at least one protocol looks at."""
    splits = [protocol.splits for protocol in bench.protocols]
    return [
        example
        for example in bench.data.examples
        if any(split is None or example.split in split for split in splits)
    ]


def _learned(entry: Entry, setup: Setup) -> Learned:
    settings = entry.card.settings(entry.settings)
    if entry.card.learn:
        return entry.card.learn(settings, setup)
    return Learned(settings, asdict(settings), None)


def _digest(picture: Picture, truth: Truth) -> str:
    """Of image and annotation."""
    whole = hashlib.sha256(picture.digest.encode())
    for part in (truth.boxes, truth.crowds, truth.foreground, truth.void, truth.classes):
        if part is not None:
            whole.update(np.ascontiguousarray(part).tobytes())
    return whole.hexdigest()[:16]


def _about_data(bench: Bench, rows: Mapping[str, Mapping[str, Any]]) -> AboutData:
    whole = hashlib.sha256()
    for key in sorted(rows):
        whole.update(f"{key} {rows[key].get('digest')}\n".encode())
    failed = [
        Failure(image=key, stage=row["failed"][0], reason=row["failed"][1])
        for key, row in rows.items()
        if "failed" in row
    ]
    return AboutData(
        name=bench.data.name,
        label=bench.data_label or bench.data.name,
        images=len(rows),
        sha256=whole.hexdigest(),
        failed=tuple(failed),
    )


def _about_encoder(bench: Bench, encoder: Encoder) -> AboutEncoder:
    return AboutEncoder(
        name=Path(encoder.name).name,
        label=bench.encoder_label or Path(encoder.name).name,
        fingerprint=encoder.fingerprint,
        features=asdict(bench.features),
        precision=encoder.precision,
    )


def _cost(rows: Mapping[str, Mapping[str, Any]]) -> Cost:
    fresh = [row["features_seconds"] for row in rows.values() if row["features_seconds"]]
    return Cost(
        features_seconds=float(np.mean(fresh)) if fresh else None,
        method_seconds=float(np.mean([row["seconds"] for row in rows.values()])),
        peak_mb=max(row["peak_mb"] for row in rows.values()),
    )

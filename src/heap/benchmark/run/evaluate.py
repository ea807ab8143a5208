"""Evaluation of methods on the same images and features, scored by named protocols."""

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from heap.base.errors import FitError, ImageError, InputError
from heap.base.interrupt import Interruptible
from heap.base.progress import OnProgress, silent
from heap.benchmark.protocols import Protocol
from heap.benchmark.protocols.outcome import Edges, Outcome
from heap.benchmark.results import AboutMethod, Results, round_floats, write_results
from heap.benchmark.run.bench import Bench, Entry
from heap.benchmark.run.journal import Journal
from heap.benchmark.run.memory import forget_peak, peak_mb
from heap.benchmark.run.methods import METHODS, MethodCard
from heap.benchmark.run.summary import summarise
from heap.benchmark.truth import Dataset, Example, Truth
from heap.images import Picture
from heap.images.prefetch import map_ahead
from heap.methods.finding import Observed

_STAGE = "evaluating"
_READ_AHEAD = 4
"""Images that are read while others are scored."""
_DIGITS = 6
"""Digits of the floats in a journal: more than in results, which round them once more."""


@dataclass(frozen=True)
class Task:
    """Protocols, and the images that they look at."""

    protocols: Sequence[Protocol]
    data: Dataset
    data_label: str = ""
    """Name of the data in tables; empty for that of the data set."""

    def check(self) -> None:
        """Refuse protocols that cannot be used on the data.

        Raises:
            InputError: naming the protocol and what the data lack.
        """
        for protocol in self.protocols:
            protocol.check(self.data)

    def check_method(self, card: MethodCard) -> None:
        """Refuse protocols of regions for a method that reports none.

        Raises:
            InputError: naming both, and methods that do.
        """
        able = ", ".join(name for name, known in METHODS.items() if known.regions)
        for protocol in self.protocols:
            if protocol.of_regions and not card.regions:
                raise InputError(
                    f"protocol {protocol.name} scores regions, which method {card.name} does not "
                    f"report; evaluate it by another protocol, or one of {able}"
                )

    def examples(self) -> list[Example]:
        """Images that at least one protocol looks at."""
        return [example for example in self.data.examples if self.protocols_for(example)]

    def protocols_for(self, example: Example) -> list[Protocol]:
        """Protocols that look at an image."""
        return [protocol for protocol in self.protocols if protocol.looks_at(example.split)]


@dataclass(frozen=True)
class _Read:
    """An image that was read, with its annotation."""

    example: Example
    picture: Picture
    truth: Truth
    digest: str
    """Digest of picture and annotation together."""


def score_methods(
    task: Task, bench: Bench, entries: Sequence[Entry], *, on_progress: OnProgress = silent
) -> list[Results]:
    """Score each method, in one pass over the images.

    An image that cannot be used is listed in the results and left out of them; an annotation that
    is wrong stops the evaluation. Until the end, rows are kept beside each result in a file of
    their own; the same call goes on where an earlier one was stopped.

    Raises:
        InputError: if a protocol cannot be used on the data or on a method, or data, models or
            options are wrong.
        FitError: if a method could not learn; raised after the others were evaluated.
    """
    task.check()
    for entry in entries:
        task.check_method(entry.card)
    with Interruptible() as stop, ThreadPoolExecutor(os.cpu_count()) as pool:

        def on_stage(stage: str, done: int, total: int | None) -> None:
            on_progress(stage, done, total)
            stop.check()

        runs, faults = [], []
        for entry in entries:
            try:
                runs.append(_Run(task, bench, entry, on_stage))
            except FitError as error:
                faults.append(f"{entry.out.name}: {error}")
        examples = task.examples()
        waiting = [example for example in examples if any(run.needs(example) for run in runs)]
        for number, (example, read) in enumerate(
            zip(waiting, map_ahead(waiting, _read, pool, _READ_AHEAD), strict=True)
        ):
            on_stage(_STAGE, len(examples) - len(waiting) + number, len(examples))
            _score(example, read, runs, bench)
        on_progress(_STAGE, len(examples), len(examples))
    results = [run.finish() for run in runs]
    if faults:
        raise FitError("; ".join(faults))
    return results


class _Run:
    """Run of one method: its journal, and in the end its results."""

    def __init__(self, task: Task, bench: Bench, entry: Entry, on_progress: OnProgress) -> None:
        self.task, self.bench, self.entry = task, bench, entry
        learned = bench.learn(entry, on_progress)
        self.method = learned.method
        self.about = AboutMethod(
            name=entry.card.name,
            label=entry.label or entry.card.label,
            settings=learned.settings,
            seed=learned.seed,
            fit=learned.fit,
        )
        made_with = {
            "method": asdict(self.about),
            "encoder": bench.encoder.fingerprint,
            "precision": bench.encoder.precision,
            "features": asdict(bench.features),
            "data": {"name": task.data.name, "place": str(task.data.place)},
            "images": len(task.examples()),
            "protocols": [protocol.name for protocol in task.protocols],
        }
        name = f"{entry.out.name}.partial.jsonl"
        self.journal = Journal(entry.out.with_name(name), made_with)
        # Not in the journal, so that the next call tries them again: they may have been mended.
        self.failed: dict[str, ImageError] = {}

    def needs(self, example: Example) -> bool:
        """Whether the image has no row yet."""
        return example.key not in self.journal.images

    def score(
        self,
        read: _Read,
        observed: Observed,
        seconds: float | None,
        edges: Edges,
    ) -> None:
        """Run the method on an image and keep its row; `seconds` is what the features took."""
        forget_peak()
        began = time.perf_counter()
        with torch.inference_mode():
            finding = self.method(observed)
        row: dict[str, Any] = {
            "split": read.example.split,
            "digest": read.digest,
            "seconds": time.perf_counter() - began,
            "features_seconds": seconds,
            "peak_mb": peak_mb(),
        }
        outcome = Outcome(observed, finding, read.truth, edges)
        row["scores"] = {
            protocol.name: protocol.measure(outcome, read.example.split)
            for protocol in self.task.protocols_for(read.example)
        }
        self.journal.add(read.example.key, round_floats(row, _DIGITS))

    def finish(self) -> Results:
        """Summarise all rows and write the results."""
        task = self.task
        # In the order of the data set, so that results are the same wherever a call was stopped.
        kept = self.journal.rows()
        keys = [example.key for example in task.examples()]
        rows = {key: kept.get(key) or self.failed[key] for key in keys}
        label = task.data_label or task.data.name
        results = summarise(self.about, self.bench, (task.data.name, label), task.protocols, rows)
        write_results(results, self.entry.out)
        self.journal.remove()
        return results


def _score(example: Example, read: _Read | ImageError, runs: Sequence[_Run], bench: Bench) -> None:
    waiting = [run for run in runs if run.needs(example)]
    if isinstance(read, ImageError):
        for run in waiting:
            run.failed[example.key] = read
        return
    features, seconds = bench.see(read.picture)
    picture = read.picture
    edges = Edges(picture.pixels, picture.width, picture.height)
    for run in waiting:
        run.score(read, Observed(features, picture.pixels), seconds, edges)


def _read(example: Example) -> _Read | ImageError:
    try:
        picture = example.picture()
    except ImageError as error:
        return error
    truth = example.truth(picture)
    return _Read(example, picture, truth, _digest(picture, truth))


def _digest(picture: Picture, truth: Truth) -> str:
    whole = hashlib.sha256(picture.digest.encode())
    for part in (truth.boxes, truth.crowds, truth.foreground, truth.void, truth.classes):
        if part is not None:
            whole.update(np.ascontiguousarray(part).tobytes())
    return whole.hexdigest()[:16]

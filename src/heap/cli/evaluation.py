"""The commands that measure: evaluate and tune."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts
from cyclopts import Parameter

from heap.base.errors import InputError
from heap.cli.app import err_console
from heap.cli.bars import Bars
from heap.cli.options import ANY_FEATURES, ANY_MACHINE, FeatureOptions, MachineOptions, bench_of
from heap.cli.printing import AsJson, print_json, print_table
from heap.cli.reading import Seed, Seeds

if TYPE_CHECKING:
    from heap.benchmark.results import Results
    from heap.benchmark.run.bench import Entry

_AtLeastOne = Parameter(validator=cyclopts.validators.Number(gte=1))
_NotNegative = Parameter(validator=cyclopts.validators.Number(gte=0))


def evaluate(
    names: list[str],
    /,
    *,
    data: str,
    method: list[str],
    out: Path,
    features: FeatureOptions = ANY_FEATURES,
    settings: list[Path] | None = None,
    seed: Seeds = None,
    fit: list[str] | None = None,
    model: Path | None = None,
    label: str = "",
    data_label: str = "",
    limit: Annotated[int | None, _AtLeastOne] = None,
    machine: MachineOptions = ANY_MACHINE,
    as_json: AsJson = False,
) -> None:
    """Score methods by named protocols, all on the same features, in one pass over the images.

    The same command goes on where an earlier one was stopped. Each result holds a row for each
    image, a bootstrap 95 % interval for each value, times, memory, settings and versions. With
    several methods or seeds, --out and --model are folders with a file and a model for each.

    Example: heap evaluate saliency-found-v1 corloc-found-v1 --data ecssd:ECSSD --method tokencut
    --encoder dino-vits8 --out tokencut.json
    Example: heap evaluate saliency-found-v1 --data ecssd:ECSSD --method heap --method found
    --seed 0 --seed 1 --seed 2 --fit DUTS-TR-Image --model models --out results

    Args:
        names: Protocols, as `heap protocols` lists them.
        data: NAME:PATH, names as `heap datasets` lists them.
        method: Methods, as `heap methods` lists them.
        out: Result, .json or .json.gz; any other name is a folder, with a file for each method.
        settings: JSON files with settings by method, as `heap tune` writes them.
        seed: Seeds of methods that learn.
        fit: Unlabelled images for methods that learn: files, folders, globs, lists or URLs.
        model: Where a method that learns has its model, or will have it; a folder of models if
            --out is a folder.
        label: Name of the method in tables.
        data_label: Name of the data in tables; say so if they are a part of the data set.
        limit: Use at most so many images of each split.
        features: The encoder and its features.
        machine: Where the work is done.
        as_json: Print the values as JSON on standard output, as fractions.
    """
    from heap.benchmark.datasets import open_dataset
    from heap.benchmark.protocols import find_protocol
    from heap.benchmark.run.bench import Entry
    from heap.benchmark.run.evaluate import Task
    from heap.benchmark.run.evaluate import evaluate as run_evaluate
    from heap.benchmark.run.methods import find_method
    from heap.benchmark.run.tuning import merged

    # What is named twice is meant once.
    wanted = [find_protocol(name) for name in dict.fromkeys(names)]
    cards = [find_method(name) for name in dict.fromkeys(method)]
    by_method = merged(settings or [])
    entries = [
        Entry(card, out, by_method.get(card.name, {}), each, model, label)
        for card in cards
        for each in (dict.fromkeys(seed or [0]) if card.learn else [0])
    ]
    if not (len(entries) == 1 and _is_file(out)):
        entries = [_among(entry, out, model) for entry in entries]
    task = Task(wanted, open_dataset(data, limit), data_label)
    task.check()
    bench = bench_of(features, machine, fit)
    with Bars(err_console) as progress:
        results = run_evaluate(task, bench, entries, on_progress=progress)
    if as_json:
        print_json([
            {"out": str(entry.out), "method": result.method.label, "values": _values(result)}
            for entry, result in zip(entries, results, strict=True)
        ])  # fmt: skip
        return
    for entry, result in zip(entries, results, strict=True):
        print_table((result.method.label, "value", "95 % interval"), _rows(result))
        err_console.print(str(entry.out), highlight=False)


def tune(
    method: str,
    /,
    *,
    data: str,
    out: Path,
    configurations: Annotated[int, _AtLeastOne] = 8,
    minutes: Annotated[float, _NotNegative] = 15.0,
    features: FeatureOptions = ANY_FEATURES,
    seed: Seed = 0,
    fit: list[str] | None = None,
    limit: Annotated[int | None, _AtLeastOne] = None,
    machine: MachineOptions = ANY_MACHINE,
    as_json: AsJson = False,
) -> None:
    """Try the settings of a method on masks that nothing is reported on, and keep the best.

    The grid of each method is stated by `heap methods`, the usual settings first. Give every method
    the same number of configurations and the same minutes. The choice is by IoU, protocol
    saliency-found-v1. The log is tuning.json in --out; settings.json there is for `heap evaluate
    --settings`.

    Example: heap tune tokencut --data folder:TUNE --encoder dino-vits16 --out tuned/tokencut

    Args:
        method: One of `heap methods`.
        data: NAME:PATH, names as `heap datasets` lists them. Never what is reported on.
        out: Folder of the log, the chosen settings and every trial.
        configurations: Try at most so many; there are eight of every method.
        minutes: Begin none after so long; the first is tried in any case.
        seed: Seed of methods that learn.
        fit: Unlabelled images for methods that learn.
        limit: Use at most so many images.
        features: The encoder and its features.
        machine: Where the work is done.
        as_json: Print the values as JSON on standard output, as fractions.
    """
    from heap.benchmark.datasets import open_dataset
    from heap.benchmark.run.methods import find_method
    from heap.benchmark.run.tuning import tune as run_tune

    card = find_method(method)
    with Bars(err_console) as progress:
        tuned = run_tune(
            card,
            open_dataset(data, limit),
            bench_of(features, machine, fit),
            out,
            configurations=configurations,
            minutes=minutes,
            seed=seed,
            on_progress=progress,
        )
    if as_json:
        print_json(asdict(tuned) | {"best": tuned.best.settings})
        return
    rows = [
        (json.dumps(trial.settings) + ("  <- chosen" if trial is tuned.best else ""),
         f"{100 * trial.iou:.1f}", f"{100 * trial.corloc:.1f}", f"{trial.seconds:.0f}")
        for trial in tuned.trials
    ]  # fmt: skip
    print_table(("settings", "IoU", "CorLoc", "seconds"), rows)
    for settings in tuned.left_out:
        err_console.print(f"no time was left for {json.dumps(settings)}", markup=False)


def _among(entry: "Entry", out: Path, model: Path | None) -> "Entry":
    """The entry with a result and a model of its own in the folders."""
    if _is_file(out):
        raise InputError(f"several methods or seeds need a folder: --out {out} is a file name")
    name = f"{entry.card.name}-{entry.seed}" if entry.card.learn else entry.card.name
    own = model / name if model is not None and entry.card.learn else None
    return replace(entry, out=out / f"{name}.json.gz", model=own)


def _is_file(out: Path) -> bool:
    return out.name.endswith((".json", ".json.gz"))


def _values(result: "Results") -> dict[str, Any]:
    return {
        protocol: {metric: asdict(found) for metric, found in scores.metrics.items()}
        for protocol, scores in result.protocols.items()
    }


def _rows(result: "Results") -> Iterator[tuple[str, str, str]]:
    from heap.benchmark.tables.words import column_of

    for protocol, scores in result.protocols.items():
        for metric, found in scores.metrics.items():
            if found.value is None:
                yield f"{protocol} {metric}", "-", "not defined here"
                continue
            scale = column_of(protocol, metric).scale
            interval = f"{scale * (found.low or 0):.1f} to {scale * (found.high or 0):.1f}"
            yield f"{protocol} {metric}", f"{scale * found.value:.1f}", interval

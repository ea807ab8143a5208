"""Commands that measure: evaluate and tune."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts
from cyclopts import Parameter

from heap.cli.app import err_console
from heap.cli.bars import Bars
from heap.cli.options import ANY_FEATURES, ANY_MACHINE, FeatureOptions, MachineOptions, bench_of
from heap.cli.printing import AsJson, print_json, print_table
from heap.cli.reading import Seed, Seeds

if TYPE_CHECKING:
    from heap.benchmark.results import Results

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
    config = features.config()
    from heap.benchmark.run.command import evaluate as evaluate_methods
    from heap.benchmark.run.tuning import read_tuned

    with Bars(err_console) as progress:
        results = evaluate_methods(
            names,
            data=data,
            methods=method,
            out=out,
            features=config,
            encoder_label=features.encoder_label,
            settings=read_tuned(settings or []),
            seeds=seed or [0],
            fit=fit or (),
            model=model,
            label=label,
            data_label=data_label,
            limit=limit,
            cache=machine.cache,
            device=machine.device,
            precision=machine.precision,
            on_progress=progress,
        )
    if as_json:
        print_json([
            {"out": str(place), "method": result.method.label, "values": _values(result)}
            for place, result in results.items()
        ])  # fmt: skip
        return
    for place, result in results.items():
        print_table((result.method.label, "value", "95 % interval"), _rows(result))
        err_console.print(str(place))


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
        err_console.print(f"no time was left for {json.dumps(settings)}")


def _values(result: "Results") -> dict[str, Any]:
    return {
        protocol: {metric: asdict(value) for metric, value in scores.metrics.items()}
        for protocol, scores in result.protocols.items()
    }


def _rows(result: "Results") -> Iterator[tuple[str, str, str]]:
    from heap.benchmark.tables.words import column_of

    for protocol, scores in result.protocols.items():
        for metric, estimate in scores.metrics.items():
            if estimate.value is None:
                yield f"{protocol} {metric}", "-", "not defined here"
                continue
            scale = column_of(protocol, metric).scale
            interval = f"{scale * (estimate.low or 0):.1f} to {scale * (estimate.high or 0):.1f}"
            yield f"{protocol} {metric}", f"{scale * estimate.value:.1f}", interval

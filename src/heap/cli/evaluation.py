"""The commands of researchers: protocols, methods, evaluate, tune, compare, tables."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts
from cyclopts import Parameter
from rich.table import Table

from heap.bars import Bars
from heap.cli.app import err_console, out_console
from heap.cli.reading import given
from heap.config import Facet, FeatureConfig, Precision, from_dict
from heap.errors import InputError

if TYPE_CHECKING:
    from heap.evaluation.run import Bench, Entry

AtLeastOne = Parameter(validator=cyclopts.validators.Number(gte=1))


def protocols(name: str | None = None, /) -> None:
    """List the named evaluations, or print all the choices of one.

    Example: heap protocols saliency-found-v1
    """
    from heap.evaluation.protocols import PROTOCOLS, find_protocol

    if name is not None:
        protocol = find_protocol(name)
        out_console.print(f"{name}: {protocol.about()}\n", highlight=False)
        for choice, value in protocol.choices().items():
            shown = ", ".join(value) if isinstance(value, tuple) else value
            out_console.print(f"  {choice}: {shown}", highlight=False, markup=False)
        return
    table = Table("protocol", "task", "what it does", box=None)
    for each in PROTOCOLS.values():
        table.add_row(each.name, each.task, each.about().partition("\n")[0])
    out_console.print(table)


def methods() -> None:
    """List the methods that can be evaluated, their settings, and what `heap tune` tries."""
    from heap.evaluation.methods import METHODS

    for card in METHODS.values():
        out_console.print(f"[bold]{card.name}[/bold]  {card.about}", highlight=False)
        settings = [field.name for field in fields(card.kind) if field.name not in card.fixed]
        if settings:
            out_console.print(f"    settings: {', '.join(settings)}", highlight=False)
        if card.grid:
            tried = " ".join(map(json.dumps, card.grid))
            out_console.print(f"    tuned over: {tried}", highlight=False, markup=False)


def evaluate(
    names: list[str],
    /,
    *,
    data: str,
    method: list[str],
    out: Path,
    encoder: str = "embedded",
    layer: int | None = None,
    facet: Facet | None = None,
    resolution: int | None = None,
    square: bool | None = None,
    settings: list[Path] | None = None,
    seed: list[int] | None = None,
    fit: list[str] | None = None,
    model: Path | None = None,
    label: str = "",
    encoder_label: str = "",
    data_label: str = "",
    limit: Annotated[int | None, AtLeastOne] = None,
    cache: Path | None = None,
    device: str = "auto",
    precision: Precision = "auto",
) -> None:
    """Score methods by named protocols, all on the same features, in one pass over the images.

    The same command goes on where an earlier one was stopped. Each result holds a row for each
    image, a bootstrap 95 % interval for each value, times, memory, settings and versions. With
    several methods or seeds, --out and --model are folders: one file, one model for each.

    Example: heap evaluate saliency-found-v1 corloc-found-v1 --data ecssd:ECSSD --method tokencut
    --encoder dino-vits8 --out tokencut.json
    Example: heap evaluate saliency-found-v1 --data ecssd:ECSSD --method heap --method found
    --seed 0 --seed 1 --seed 2 --fit DUTS-TR-Image --model models --out results

    Args:
        names: Protocols, as `heap protocols` lists them.
        data: NAME:PATH, names as `heap datasets` lists them.
        method: Methods, as `heap methods` lists them.
        out: Result, .json or .json.gz; a folder if there are several.
        encoder: Alias (`heap models`), hub name or folder.
        layer: Block of the encoder, from 0; negative counts from the last.
        facet: Key projection of the block, or its output token.
        resolution: Side of the square whose area images are resized to.
        square: Squeeze images to that square.
        settings: JSON files with settings by method, as `heap tune` writes them.
        seed: Seeds of methods that learn.
        fit: Unlabelled images for methods that learn: files, folders, globs, lists or URLs.
        model: Where a method that learns has its model, or will have it.
        label: Name of the method in tables.
        encoder_label: Name of the encoder in tables.
        data_label: Name of the data in tables; say so if they are a part of the data set.
        limit: Use at most so many images of each split.
        cache: Folder of the feature store.
        device: cpu, cuda, mps or auto.
        precision: auto uses bf16 where the processor has it.
    """
    chosen = given(layer=layer, facet=facet, resolution=resolution, square=square)
    from heap.evaluation.methods import find_method
    from heap.evaluation.protocols import find_protocol
    from heap.evaluation.tuning import merged

    wanted = [find_protocol(name) for name in names]
    cards = [find_method(name) for name in method]
    by_method = merged(settings or [])
    from heap.evaluation.run import Bench, Entry
    from heap.evaluation.run import evaluate as run_evaluate

    bench = Bench(
        wanted,
        _open(data, limit),
        _features(encoder, chosen),
        tuple(fit or ()),
        encoder_label,
        data_label,
        cache,
        _device(device),
        precision,
    )
    entries = [
        Entry(card, out, by_method.get(card.name, {}), each, model, label)
        for card in cards
        for each in ((seed or [0]) if card.learn else [0])
    ]
    if len(entries) > 1:
        entries = [_among(entry, out, model) for entry in entries]
    with Bars(err_console) as progress:
        results = run_evaluate(bench, entries, on_progress=progress)
    for entry, result in zip(entries, results, strict=True):
        _print_values(result.method.label, result)
        err_console.print(f"{entry.out}", highlight=False)


def tune(
    method: str,
    /,
    *,
    data: str,
    out: Path,
    configurations: Annotated[int, AtLeastOne] = 4,
    minutes: float = 10,
    encoder: str = "embedded",
    layer: int | None = None,
    facet: Facet | None = None,
    resolution: int | None = None,
    square: bool | None = None,
    seed: int = 0,
    fit: list[str] | None = None,
    encoder_label: str = "",
    limit: Annotated[int | None, AtLeastOne] = None,
    cache: Path | None = None,
    device: str = "auto",
    precision: Precision = "auto",
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
        configurations: Try at most so many.
        minutes: Begin none after so long.
        encoder: Alias (`heap models`), hub name or folder.
        layer: Block of the encoder, from 0; negative counts from the last.
        facet: Key projection of the block, or its output token.
        resolution: Side of the square whose area images are resized to.
        square: Squeeze images to that square.
        seed: Seed of methods that learn.
        fit: Unlabelled images for methods that learn.
        encoder_label: Name of the encoder in the log.
        limit: Use at most so many images.
        cache: Folder of the feature store.
        device: cpu, cuda, mps or auto.
        precision: auto uses bf16 where the processor has it.
    """
    chosen = given(layer=layer, facet=facet, resolution=resolution, square=square)
    from heap.evaluation.methods import find_method
    from heap.evaluation.run import Bench
    from heap.evaluation.tuning import tune as run_tune

    card = find_method(method)
    bench = Bench(
        [],
        _open(data, limit),
        _features(encoder, chosen),
        tuple(fit or ()),
        encoder_label,
        cache=cache,
        device=_device(device),
        precision=precision,
    )
    with Bars(err_console) as progress:
        tuned = run_tune(
            card,
            bench,
            out,
            configurations=configurations,
            minutes=minutes,
            seed=seed,
            on_progress=progress,
        )
    table = Table("settings", "IoU", "CorLoc", "seconds", box=None)
    for trial in tuned.trials:
        best = "  <- chosen" if trial is tuned.best else ""
        table.add_row(
            json.dumps(trial.settings) + best,
            f"{100 * trial.iou:.1f}",
            f"{100 * trial.corloc:.1f}",
            f"{trial.seconds:.0f}",
        )
    out_console.print(table)
    for settings in tuned.left_out:
        err_console.print(f"no time was left for {json.dumps(settings)}", markup=False)


def _features(encoder: str, chosen: dict[str, Any]) -> FeatureConfig:
    from heap.encoder.registry import recipe

    return from_dict(FeatureConfig, asdict(recipe(encoder).features(encoder)) | chosen)


def _open(data: str, limit: int | None) -> Any:
    from heap.evaluation.datasets import open_dataset

    return open_dataset(data, limit)


def _device(name: str) -> str:
    from heap.device import choose_device

    return choose_device(name)


def _among(entry: "Entry", out: Path, model: Path | None) -> "Entry":
    """The entry with a result and a model of its own in the folders."""
    from dataclasses import replace

    if out.suffix in (".json", ".gz"):
        raise InputError(f"several methods or seeds need a folder: --out {out} is a file name")
    name = f"{entry.card.name}-{entry.seed}" if entry.card.learn else entry.card.name
    own = model / name if model is not None and entry.card.learn else None
    return replace(entry, out=out / f"{name}.json.gz", model=own)


def _print_values(name: str, result: Any) -> None:
    table = Table(name, "value", "95 % interval", box=None)
    for protocol, scores in result.protocols.items():
        for metric, found in scores.metrics.items():
            if found.value is None:
                table.add_row(f"{protocol} {metric}", "-", "not defined here")
                continue
            interval = f"{100 * (found.low or 0):.1f} to {100 * (found.high or 0):.1f}"
            table.add_row(f"{protocol} {metric}", f"{100 * found.value:.1f}", interval)
    out_console.print(table)

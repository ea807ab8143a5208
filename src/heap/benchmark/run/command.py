"""The whole of `heap evaluate` but printing: names become methods, data and protocols."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heap.base.errors import InputError
from heap.base.progress import OnProgress, silent
from heap.benchmark.datasets import open_dataset
from heap.benchmark.protocols import find_protocol
from heap.benchmark.results import Results
from heap.benchmark.run.bench import Bench, Entry
from heap.benchmark.run.evaluate import Task, score_methods
from heap.benchmark.run.methods import MethodCard, find_method
from heap.config import FeatureConfig, Precision
from heap.encoder.registry import recipe


def evaluate(
    protocols: Sequence[str],
    *,
    data: str,
    methods: Sequence[str],
    out: Path | str,
    encoder: str = "embedded",
    features: FeatureConfig | None = None,
    encoder_label: str = "",
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    seeds: Sequence[int] = (0,),
    fit: Sequence[str] = (),
    model: Path | str | None = None,
    label: str = "",
    data_label: str = "",
    limit: int | None = None,
    cache: Path | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    on_progress: OnProgress = silent,
) -> dict[Path, Results]:
    """Score methods by protocols on the same features; returns the results by their files.

    `data` is NAME:PATH. `out` is a .json or .json.gz file for one method and seed; any other name
    is a folder, with a file for each, and `model` is then a folder of models. `settings` are
    settings by the names of methods; `seeds` and the images in `fit` are for methods that learn.
    Without `features` they are those of the recipe of `encoder`. The labels are names in tables.
    `limit` uses at most so many images of each split. The same call goes on where an earlier one
    was stopped.

    Raises:
        InputError: if there is no such protocol, method or data set, a protocol cannot be used on
            the data or on a method, or data, models or options are wrong.
        ConfigError: if settings are wrong.
        FitError: if a method could not learn; raised after the others were evaluated.
    """
    # A name that is given twice is meant once.
    wanted = [find_protocol(name) for name in dict.fromkeys(protocols)]
    cards = [find_method(name) for name in dict.fromkeys(methods)]
    place = None if model is None else Path(model)
    entries = _entries(cards, seeds, Path(out), place, settings or {}, label)
    task = Task(wanted, open_dataset(data, limit), data_label)
    # Before the encoder is loaded, which takes long.
    task.check()
    bench = Bench(
        features or recipe(encoder).features(encoder),
        photos=fit,
        encoder_label=encoder_label,
        cache=cache,
        device=device,
        precision=precision,
    )
    results = score_methods(task, bench, entries, on_progress=on_progress)
    return {entry.out: result for entry, result in zip(entries, results, strict=True)}


def _entries(
    cards: Sequence[MethodCard],
    seeds: Sequence[int],
    out: Path,
    model: Path | None,
    settings: Mapping[str, Mapping[str, Any]],
    label: str,
) -> list[Entry]:
    """Entry of every method and, for one that learns, of every seed, with places of their own."""
    once = list(dict.fromkeys(seeds))
    runs = [(card, seed) for card in cards for seed in (once if card.learn else [0])]
    alone = len(runs) == 1 and _is_file(out)
    if _is_file(out) and not alone:
        raise InputError(f"several methods or seeds need a folder: --out {out} is a file name")
    entries = []
    for card, seed in runs:
        own_out, own_model = (out, model) if alone else _places(card, seed, out, model)
        chosen = settings.get(card.name, {})
        entries.append(Entry(card, own_out, chosen, seed, own_model, label))
    return entries


def _places(card: MethodCard, seed: int, out: Path, model: Path | None) -> tuple[Path, Path | None]:
    """File of the results and folder of the model of one of several methods or seeds."""
    name = f"{card.name}-{seed}" if card.learn else card.name
    own_model = model / name if model is not None and card.learn else None
    return out / f"{name}.json.gz", own_model


def _is_file(out: Path) -> bool:
    return out.name.endswith((".json", ".json.gz"))

"""Calls of `heap evaluate` and `heap tables`; what is done is not done again."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.common import run_heap
from heap.base.errors import InputError
from heap.benchmark.run.methods import METHODS

SEEDS = (0, 1, 2)
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Set:
    """A data set, what it is called in tables, and its protocols."""

    name: str
    spec: str
    """As `heap evaluate --data` takes it; `{}` stands for the folder of the evaluation sets."""
    label: str
    protocols: tuple[str, ...]

    def within(self, data: Path) -> "Set":
        """The same with the folder filled in."""
        return replace(self, spec=self.spec.format(data))


def evaluate(
    used: Set,
    methods: Iterable[str],
    out: Path,
    *options: str | Path,
    seeds: Sequence[int] = SEEDS,
    settings: Mapping[str, Path] | None = None,
) -> None:
    """Score the methods that have no result in `out` yet, in one pass over the images.

    Raises:
        InputError: if a call fails.
    """
    left = [name for name in methods if not all(path.exists() for path in _files(out, name, seeds))]
    chosen = settings or {}
    if left:
        run_heap(
            *("evaluate", *used.protocols, "--data", used.spec, "--data-label", used.label),
            *("--out", str(out), *options_of("--method", left), *options_of("--seed", seeds)),
            *options_of("--settings", [chosen[name] for name in left if name in chosen]),
            *options,
        )


def vary(
    method: str,
    variants: Mapping[str, Settings],
    sets: Sequence[Set],
    out: Path,
    work: Path,
    *options: str | Path,
    seeds: Sequence[int] = SEEDS,
) -> None:
    """Score a method with one thing of its settings changed each time.

    Raises:
        InputError: if calls fail, after all others; a fit can be refused as unusable.
    """
    faults = []
    for name, changes in variants.items():
        changed = write_settings(work / f"{name}.json", {method: changes})
        for used in sets:
            place = out / f"{name}-{used.name}"
            model = ("--model", work / name)
            try:
                evaluate(
                    used, [method], place, *model, *options,
                    seeds=seeds, settings={method: changed},
                )  # fmt: skip
            except InputError as error:
                faults.append(str(error))
    if faults:
        raise InputError("; ".join(faults))


def tabulate(out: Path, *options: str) -> None:
    """Make the tables of all results in a folder, and their charts."""
    run_heap("tables", out, "--out", out / "tables.md", "--figures", out / "charts", *options)


def write_settings(path: Path, settings: Mapping[str, Settings]) -> Path:
    """Write settings by method for `--settings`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def options_of(name: str, values: Iterable[object]) -> list[str]:
    """An option of a command with several values."""
    return [part for value in values for part in (name, str(value))]


def _files(out: Path, method: str, seeds: Sequence[int]) -> list[Path]:
    names = [f"{method}-{seed}" for seed in seeds] if METHODS[method].learn else [method]
    return [out / f"{name}.json.gz" for name in names]

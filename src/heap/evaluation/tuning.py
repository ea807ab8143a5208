"""`heap tune`: tries the stated settings of a method on masks that nothing is reported on."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from heap.errors import InputError
from heap.evaluation.bench import Bench, Entry
from heap.evaluation.methods import MethodCard, Settings
from heap.evaluation.protocols import PROTOCOLS
from heap.evaluation.results import Results, read_results
from heap.evaluation.run import Task, evaluate
from heap.evaluation.truth import Dataset
from heap.progress import OnProgress, silent

CRITERION = ("saliency-found-v1", "iou")
"""What is chosen by: protocol and metric."""
BESIDE = "corloc-found-v1"
LOG = "tuning.json"
SETTINGS = "settings.json"


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and what they gave."""

    settings: Settings
    iou: float
    corloc: float
    seconds: float
    """Learning and evaluating together."""


@dataclass(frozen=True)
class Tuned:
    """The log of a search."""

    method: str
    trials: tuple[Trial, ...]
    left_out: tuple[Settings, ...]
    """Settings that there was no time for."""

    @property
    def best(self) -> Trial:
        """The trial with the highest IoU, the first of equals."""
        return max(self.trials, key=lambda trial: trial.iou)


def tune(
    card: MethodCard,
    data: Dataset,
    bench: Bench,
    out: Path,
    *,
    configurations: int,
    minutes: float,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> Tuned:
    """Try the first `configurations` of the method's grid, and begin none after so many `minutes`.

    Writes into the folder `out` the log, the settings that were chosen, and the results of every
    trial; the same call goes on where an earlier one was stopped.

    Raises:
        InputError: if the method has nothing to tune, or as `evaluate` does.
    """
    if not card.grid:
        raise InputError(f"method {card.name} has no settings to tune")
    task = Task([PROTOCOLS[CRITERION[0]], PROTOCOLS[BESIDE]], data)
    out.mkdir(parents=True, exist_ok=True)
    grid, trials = card.grid[:configurations], list[Trial]()
    for number, settings in enumerate(grid):
        if sum(trial.seconds for trial in trials) >= 60 * minutes:
            break
        on_progress(f"configurations: {json.dumps(settings)}", number, len(grid))
        model = out / f"{number}-model" if card.learn else None
        entry = Entry(card, out / f"{number}.json.gz", settings, seed, model)
        trials.append(_try(task, bench, entry, out / f"{number}.seconds", on_progress))
    tuned = Tuned(card.name, tuple(trials), tuple(grid[len(trials) :]))
    budget = {"configurations": configurations, "minutes": minutes, "seed": seed}
    about = {"name": data.name, "images": len(data.examples)}
    _write(tuned, out, {"data": about, "encoder": bench.encoder_label, "budget": budget})
    return tuned


def _try(task: Task, bench: Bench, entry: Entry, clock: Path, on_progress: OnProgress) -> Trial:
    """Evaluate one configuration, unless that was done already."""
    if not (entry.out.exists() and clock.exists()):
        began = time.perf_counter()
        evaluate(task, bench, [entry], on_progress=on_progress)
        clock.write_text(f"{time.perf_counter() - began:.1f}\n", encoding="utf-8")
    found = read_results(entry.out)
    return Trial(
        entry.settings,
        _value(found, *CRITERION),
        _value(found, BESIDE, "corloc"),
        float(clock.read_text(encoding="utf-8")),
    )


def _value(results: Results, protocol: str, metric: str) -> float:
    return results.protocols[protocol].metrics[metric].value or 0.0


def _write(tuned: Tuned, out: Path, about: dict[str, Any]) -> None:
    log = {
        "method": tuned.method,
        "criterion": {"protocol": CRITERION[0], "metric": CRITERION[1]},
        **about,
        "chosen": tuned.best.settings,
        "trials": [asdict(trial) for trial in tuned.trials],
        "left_out": list(tuned.left_out),
    }
    _dump(out / LOG, log)
    _dump(out / SETTINGS, {tuned.method: tuned.best.settings})


def _dump(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def merged(paths: Sequence[Path]) -> dict[str, Settings]:
    """The settings of several files that `tune` wrote, by method.

    Raises:
        InputError: if a file cannot be used, or two of them are about the same method.
    """
    found: dict[str, Settings] = {}
    for path in paths:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"--settings {path} cannot be read: {error}") from error
        if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
            raise InputError(
                f'--settings {path} must hold an object for each method, as {{"tokencut": '
                '{"threshold": 0.3}}'
            )
        if twice := found.keys() & values.keys():
            raise InputError(f"--settings {path} is about {min(twice)}, which another file is too")
        found |= values
    return found

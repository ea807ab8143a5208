"""`heap tune`: the search for settings of a method, on masks that no result is reported on."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from heap.base.errors import FitError, InputError
from heap.base.progress import OnProgress, silent
from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.results import Results
from heap.benchmark.run.bench import Bench, Entry
from heap.benchmark.run.evaluate import Task, score_methods
from heap.benchmark.run.journal import Journal
from heap.benchmark.run.methods import METHODS, MethodCard, Settings
from heap.benchmark.truth import Dataset

CRITERION = ("saliency-found-v1", "iou")
"""Protocol and metric by which settings are chosen."""
BESIDE = "corloc-found-v1"
"""Protocol that is logged beside the criterion."""
LOG = "tuning.json"
SETTINGS = "settings.json"
_JOURNAL = "trials.jsonl"


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, with their scores."""

    settings: Settings
    iou: float
    corloc: float
    seconds: float
    """Seconds of the method, to learn and for all images, without the features."""
    failed: str | None = None
    """Reason why it could not learn with these settings; IoU and CorLoc are 0 then."""


@dataclass(frozen=True)
class Tuned:
    """Log of a search."""

    method: str
    trials: tuple[Trial, ...]
    left_out: tuple[Settings, ...]
    """Settings for which there was no time."""

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

    The first is tried in any case, and those of a method that learns nothing are tried together.
    Writes into the folder `out` the log, the settings that were chosen, and the results of every
    trial; the same call goes on where an earlier one was stopped, and one with more configurations
    or minutes tries what is left.

    Raises:
        InputError: if the method has nothing to tune, or as `evaluate` does.
    """
    if not card.grid:
        raise InputError(f"method {card.name} has no settings to tune")
    task = Task([PROTOCOLS[CRITERION[0]], PROTOCOLS[BESIDE]], data)
    about = {"name": data.name, "place": str(data.place), "images": len(data.examples)}
    features = {"encoder": bench.encoder.fingerprint, "features": asdict(bench.features)}
    search = {"method": card.name, "data": about, "seed": seed, **features}
    journal = Journal(out / _JOURNAL, search)
    grid = card.grid[:configurations]
    entries = [
        Entry(card, out / f"{number}.json.gz", settings, seed, out / f"{number}-model")
        for number, settings in enumerate(grid)
    ]
    # A method that learns is slow, so its settings are tried one by one, as long as there is time;
    # those of others are tried in one pass, which reads every image and its features once.
    passes = [[entry] for entry in entries] if card.learn else [entries]
    trials = list[Trial]()
    for number, together in enumerate(passes):
        if trials and sum(trial.seconds for trial in trials) >= 60 * minutes:
            break
        on_progress("configurations", number, len(passes))
        trials += _try(task, bench, together, journal, on_progress)
    tuned = Tuned(card.name, tuple(trials), tuple(grid[len(trials) :]))
    budget = {"configurations": configurations, "minutes": minutes}
    _write(tuned, out, {"encoder_label": bench.encoder_label, "budget": budget, **search})
    return tuned


def _try(
    task: Task,
    bench: Bench,
    entries: Sequence[Entry],
    journal: Journal,
    on_progress: OnProgress,
) -> list[Trial]:
    """Evaluate the configurations that were not evaluated already."""
    missing = [entry for entry in entries if entry.out.name not in journal.images]
    began = time.perf_counter()
    try:
        results = score_methods(task, bench, missing, on_progress=on_progress)
        trials = [_trial(*pair) for pair in zip(missing, results, strict=True)]
    except FitError as error:
        seconds = round(time.perf_counter() - began, 1)
        trials = [Trial(entry.settings, 0.0, 0.0, seconds, str(error)) for entry in missing]
    for entry, trial in zip(missing, trials, strict=True):
        journal.add(entry.out.name, asdict(trial))
    kept = journal.rows()
    return [Trial(**kept[entry.out.name]) for entry in entries]


def _trial(entry: Entry, results: Results) -> Trial:
    learning = float((results.method.fit or {}).get("seconds") or 0)
    using = (results.cost.method_seconds or 0) * results.data.images
    return Trial(
        entry.settings,
        _value(results, *CRITERION),
        _value(results, BESIDE, "corloc"),
        round(learning + using, 1),
    )


def _value(results: Results, protocol: str, metric: str) -> float:
    return results.protocols[protocol].metrics[metric].value or 0.0


def _write(tuned: Tuned, out: Path, about: dict[str, Any]) -> None:
    log = {
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


def read_tuned(paths: Sequence[Path]) -> dict[str, Settings]:
    """Read the settings of several files that `tune` wrote, by method.

    Raises:
        InputError: if a file cannot be used, or two of them are about the same method, or it is
            about one that there is not.
    """
    settings: dict[str, Settings] = {}
    for path in paths:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"--settings {path} cannot be read: {error}") from error
        if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
            raise InputError(
                f'--settings {path} must hold an object for each method, as {{"tokencut": '
                '{"threshold": 0.3}}'
            )
        if unknown := values.keys() - METHODS.keys():
            raise InputError(f"--settings {path} is about {min(unknown)!r}, which is no method")
        if twice := settings.keys() & values.keys():
            raise InputError(f"--settings {path} is about {min(twice)}, which another file is too")
        settings |= values
    return settings

"""Every method on the same features: tuned, then scored on three sets by their protocols.

Nothing but `heap tune`, `heap evaluate` and `heap tables`, one after the other; each of them goes
on where it was stopped, and so does this.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import DATA, RUNS, Data, main, run_heap
from benchmarks.report import RESULTS
from heap.base.errors import InputError
from heap.benchmark.results import read_results
from heap.benchmark.run.methods import CONFIGURATIONS, METHODS
from heap.benchmark.run.tuning import LOG, SETTINGS

NAME = "peers"
SEEDS = ("0", "1", "2")
MINUTES = "12"
"""Minutes of `heap tune`, the same for every method, as are the configurations."""
COMPARED = tuple(name for name in METHODS if name != "heap-self")
"""The methods of the study. HEAP taught by itself has a folder of its own among the results."""
UNTUNED = ("heap-self",)
"""Method that is used as it comes, with the settings of HEAP with prior."""
OF_SOLVER = "solver"
"""Part of the names of a method and of protocols that solve a bilateral system for each image."""
DISCOVERY = (
    "corloc-found-v1",
    "corloc-lost-v1",
    "corloc-any-v1",
    "ap-box-v1",
    "odap-v1",
)
"""Protocols; those of several objects and of no object have benchmarks of their own."""
SALIENCY = (
    "saliency-found-v1",
    "saliency-found-v1-guided",
    "saliency-found-v1-solver",
    "saliency-found-v1-single",
    "saliency-tokencut-v1",
    "saliency-tokencut-v1-solver",
    "saliency-sod-v1",
)
RETRIEVAL = (
    "retrieval-voc12-animals-v1",
    "retrieval-voc12-animals-v1-single",
    "retrieval-voc12-animals-v1-parts",
    "retrieval-voc12-animals-v1-own",
    "clustering-voc12-v1",
)

ABLATED = ("heap", "vit-tiny-supervised", "0")
"""Method, encoder and seed of the ablation: one thing is changed each time."""
ABLATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "unchanged": {},
    "without-intra": {"losses": {"intra": 0.0}},
    "without-negative": {"losses": {"negative": 0.0}},
    "without-inter": {"losses": {"inter": 0.0}},
    "prior-only": {"losses": {"intra": 0.0, "negative": 0.0, "inter": 0.0}},
    "untaught-seed": {"losses": {"prior": "seed"}},
    "modularity": {"losses": {"intra_form": "modularity"}},
    "without-blocks": {"head": {"blocks": 0}},
    "6-groups": {"head": {"groups": 6}},
    "24-groups": {"head": {"groups": 24}},
}
ABLATION = ("corloc-found-v1", "saliency-found-v1", "saliency-found-v1-solver", "region-oracle-v1")
"""Protocols of the ablation on the first set."""
REGIONS = ("regions-voc12-v1",)
"""Protocols on the second: how regions find each other."""


@dataclass(frozen=True)
class Set:
    """A data set, what it is called in tables, and its protocols."""

    name: str
    spec: str
    """As `heap evaluate --data` takes it, with the folder of the evaluation sets left out."""
    label: str
    protocols: tuple[str, ...]


SETS = (
    Set("ecssd500", "folder:{}/ecssd500", "ECSSD, every second image", DISCOVERY + SALIENCY),
    Set(
        "voc12-animals",
        "voc2012-seg:{}/voc12-animals",
        "VOC12 animals subset",
        DISCOVERY + SALIENCY[:3] + RETRIEVAL,
    ),
    Set(
        "coco-val100",
        "coco:{}/coco-val100",
        "COCO val2017, 100 images",
        (*DISCOVERY, "ap-mask-v1", "ap-mask-v1-guided", *SALIENCY[:3]),
    ),
)


@dataclass(frozen=True)
class Studied:
    """An encoder of the study, and what is done with it."""

    options: tuple[str, ...]
    """Options of `heap evaluate`."""
    methods: tuple[str, ...] = COMPARED
    solver: bool = True
    """Whether methods and protocols with the bilateral solver are run: on grids of 32 x 32 and
    full images they take more than all others together."""
    tuned_on: int | None = None
    """Settings are tried on so many tune photos; None for all."""


ENCODERS = {
    "embedded": Studied(
        ("--encoder", "embedded", "--encoder-label", "DINOv2-S, restored"),
        # `heap` chooses among three priors there, which takes hours with three seeds.
        tuple(name for name in COMPARED if name != "heap" and OF_SOLVER not in name),
        solver=False,
        tuned_on=100,
    ),
    "embedded-small": Studied(("--encoder", "embedded-small", "--encoder-label", "embedded-small")),
    "vit-tiny-supervised": Studied(
        (
            *("--encoder", "../shared/encoders/vit-tiny-supervised", "--layer", "8"),
            *("--resolution", "448", "--square", "--encoder-label", "supervised ViT-Ti"),
        )
    ),
}


def bench(
    *,
    data: Data = DATA,
    encoder: Sequence[str] = tuple(ENCODERS),
    method: Sequence[str] = COMPARED,
    out: Path = RESULTS / NAME,
    work: Path = RUNS / NAME,
) -> None:
    """Tune, evaluate and make the tables.

    Args:
        data: Folder with `duts-tr`, `ecssd500`, `voc12-animals` and `coco-val100`.
        encoder: Those of `ENCODERS` to do.
        method: Methods to do, of those that are studied with the encoder.
        out: Folder of the results.
        work: Folder of features, models and trials; what is there is not done again.
    """
    for name in encoder:
        methods = studied(method, name)
        for chosen in methods:
            tune(chosen, name, data, work)
            keep_log(chosen, name, out, work)
        for used in SETS:
            evaluate(methods, name, used, data, out, work)
        for change in ABLATIONS if (ABLATED[0] in method and name == ABLATED[1]) else ():
            ablate(change, data, out, work)
    results = [str(path) for path in sorted(out.rglob("*.json.gz"))]
    run_heap("tables", *results, "--out", out / "tables.md", "--figures", out / "charts")


def studied(methods: Sequence[str], encoder: str) -> list[str]:
    """The methods that are studied with an encoder, and those that are not compared if asked for.

    HEAP is there in any case, if only by its three losses.
    """
    usual = ENCODERS[encoder].methods
    names = [name if name in usual or name != "heap" else "heap-alone" for name in methods]
    return [name for name in dict.fromkeys(names) if name in usual or name in UNTUNED]


def tune(method: str, encoder: str, data: Path, work: Path) -> None:
    """Choose the settings of a method on the tune masks."""
    folder = work / encoder / "tuned" / method
    if _searched(method) and not (folder / SETTINGS).exists():
        run_heap(
            *("tune", method, "--data", f"folder:{data}/duts-tr/tune", "--out", folder),
            *("--configurations", str(CONFIGURATIONS), "--minutes", MINUTES),
            *_limit(ENCODERS[encoder].tuned_on),
            *common(encoder, data, work),
        )


def keep_log(method: str, encoder: str, out: Path, work: Path) -> None:
    """Keep the log of the choice of settings among the results."""
    log = out / encoder / "tuning" / f"{method}.json"
    if _searched(method) and not log.exists():
        log.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(work / encoder / "tuned" / method / LOG, log)


def evaluate(
    methods: Sequence[str],
    encoder: str,
    used: Set,
    data: Path,
    out: Path,
    work: Path,
    settings: Mapping[str, Path] | None = None,
) -> None:
    """Score the methods on one set, those that learn with three seeds.

    Some may have other `settings` than those that were chosen by `tune`.
    """
    folder = out / encoder / used.name
    left = [name for name in methods if not _done(folder, name)]
    if not left:
        return
    for name in left:
        if METHODS[name].learn and _searched(name):
            take_over(work / encoder, name)
    tuned = {name: work / encoder / "tuned" / name / SETTINGS for name in left if _searched(name)}
    used_settings = tuned | {name: path for name, path in (settings or {}).items() if name in left}
    solver = ENCODERS[encoder].solver
    protocols = [protocol for protocol in used.protocols if solver or OF_SOLVER not in protocol]
    run_heap(
        *("evaluate", *protocols, "--data", used.spec.format(data)),
        *("--data-label", used.label, "--out", folder, "--model", work / encoder / "models"),
        *_each("--method", left),
        *_each("--settings", list(used_settings.values())),
        *_each("--seed", SEEDS),
        *common(encoder, data, work),
    )


def ablate(name: str, data: Path, out: Path, work: Path) -> None:
    """Change one thing of the usual settings, and score what comes out on the first two sets.

    A fit that is refused as unusable is a result too: a text file says so.
    """
    method, encoder, seed = ABLATED
    folder, changed = out / encoder / "ablation", work / encoder / "ablation" / f"{name}.json"
    refused = folder / f"{name}.refused.txt"
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text(json.dumps({method: ABLATIONS[name]}), encoding="utf-8")
    for used, protocols in zip(SETS, (ABLATION, REGIONS), strict=False):
        result = folder / f"{name}-{used.name}.json.gz"
        # Unchanged it is among the methods, with most of the protocols.
        asked = [
            protocol for protocol in protocols if ABLATIONS[name] or protocol not in used.protocols
        ]
        if result.exists() or refused.exists():
            continue
        try:
            run_heap(
                *("evaluate", *asked),
                *("--method", method, "--seed", seed, "--out", result),
                *("--data", used.spec.format(data), "--data-label", used.label),
                *("--settings", changed, "--model", changed.with_suffix("")),
                *common(encoder, data, work),
            )
        except InputError as error:
            refused.parent.mkdir(parents=True, exist_ok=True)
            refused.write_text(f"{error}\n", encoding="utf-8")


def take_over(work: Path, method: str) -> None:
    """The model of the chosen trial is that of the first seed: it need not learn again."""
    model, tuned = work / "models" / f"{method}-{SEEDS[0]}", work / "tuned" / method
    if not model.exists():
        log = json.loads((tuned / LOG).read_text(encoding="utf-8"))
        chosen = [trial["settings"] for trial in log["trials"]].index(log["chosen"])
        shutil.copytree(tuned / f"{chosen}-model", model)


def common(encoder: str, data: Path, work: Path) -> tuple[str, ...]:
    """Encoder, images to learn from, and the store of features."""
    fit = ("--fit", f"{data}/duts-tr/fit", "--cache", str(work / "features"))
    return (*ENCODERS[encoder].options, *fit)


def _limit(count: int | None) -> tuple[str, ...]:
    return () if count is None else ("--limit", str(count))


def _searched(method: str) -> bool:
    return bool(METHODS[method].grid) and method not in UNTUNED


def _done(folder: Path, method: str) -> bool:
    names = [f"{method}-{seed}" for seed in SEEDS] if METHODS[method].learn else [method]
    paths = [folder / f"{name}.json.gz" for name in names]
    return all(path.exists() and read_results(path) for path in paths)


def _each(option: str, values: Sequence[str | Path]) -> list[str]:
    return [part for value in values for part in (option, str(value))]


if __name__ == "__main__":
    main(bench)

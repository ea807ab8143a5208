"""Every method on the same features: tuned, then scored on three sets by their protocols.

Nothing but `heap tune`, `heap evaluate` and `heap tables`, one after the other; each of them goes
on where it was stopped, and so does this.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import DATA, RUNS, Data, main, run_heap
from benchmarks.report import RESULTS
from heap.errors import InputError
from heap.evaluation.methods import METHODS
from heap.evaluation.results import read_results
from heap.evaluation.tuning import LOG, SETTINGS

NAME = "peers"
SEEDS = ("0", "1", "2")
CONFIGURATIONS, MINUTES = "5", "12"
"""Of `heap tune`, for every method alike."""
UNTUNED = ("heap-alone", "heap-self")
"""They are used as they come: every hour of HEAP's tuning goes to the one with a prior."""
DISCOVERY = (
    "corloc-found-v1",
    "corloc-lost-v1",
    "corloc-any-v1",
    "ap-box-v1",
    "odap-v1",
)
"""Those of several objects and of no object have benchmarks of their own."""
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
    "clustering-voc12-v1",
)

ABLATED = ("heap-alone", "vit-tiny-supervised", "0")
"""Method, encoder and seed of the ablation: losses left out, and other numbers of group tokens."""
ABLATIONS: dict[str, dict[str, dict[str, float]]] = {
    "without-intra": {"losses": {"intra": 0.0}},
    "without-negative": {"losses": {"negative": 0.0}},
    "without-inter": {"losses": {"inter": 0.0}},
    "8-groups": {"head": {"groups": 8}},
    "16-groups": {"head": {"groups": 16}},
}


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
ENCODERS = {
    "embedded": ("--encoder", "embedded", "--encoder-label", "embedded"),
    "vit-tiny-supervised": (
        *("--encoder", "../shared/encoders/vit-tiny-supervised", "--layer", "8"),
        *("--resolution", "448", "--square", "--encoder-label", "supervised ViT-Ti"),
    ),
}


def bench(
    *,
    data: Data = DATA,
    encoder: Sequence[str] = tuple(ENCODERS),
    method: Sequence[str] = tuple(METHODS),
    out: Path = RESULTS / NAME,
    work: Path = RUNS / NAME,
) -> None:
    """Tune, evaluate and make the tables.

    Args:
        data: Folder with `duts-tr`, `ecssd500`, `voc12-animals` and `coco-val100`.
        encoder: Those of `ENCODERS` to do.
        method: Methods to do.
        out: Folder of the results.
        work: Folder of features, models and trials; what is there is not done again.
    """
    for each in encoder:
        for name in method:
            tune(name, each, data, out, work)
        for used in SETS:
            evaluate(method, each, used, data, out, work)
        for name in ABLATIONS if (ABLATED[0] in method and each == ABLATED[1]) else ():
            ablate(name, data, out, work)
    results = [str(path) for path in sorted(out.rglob("*.json.gz"))]
    run_heap("tables", *results, "--out", out / "tables.md", "--figures", out / "charts")


def tune(method: str, encoder: str, data: Path, out: Path, work: Path) -> None:
    """Choose the settings of a method on the tune masks; the log is kept among the results."""
    if not METHODS[method].grid or method in UNTUNED:
        return
    log = out / encoder / "tuning" / f"{method}.json"
    found = work / encoder / "tuned" / method
    if log.exists() and (found / SETTINGS).exists():
        return
    run_heap(
        *("tune", method, "--data", f"folder:{data}/duts-tr/tune", "--out", found),
        *("--configurations", CONFIGURATIONS, "--minutes", MINUTES),
        *common(encoder, data, work),
    )
    log.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found / LOG, log)


def evaluate(
    methods: Sequence[str], encoder: str, used: Set, data: Path, out: Path, work: Path
) -> None:
    """Score the methods on one set, those that learn with three seeds."""
    folder = out / encoder / used.name
    left = [name for name in methods if not _done(folder, name)]
    if not left:
        return
    for name in left:
        if METHODS[name].learn and name not in UNTUNED:
            take_over(work / encoder, name)
    searched = [name for name in left if METHODS[name].grid and name not in UNTUNED]
    tuned = [work / encoder / "tuned" / name / SETTINGS for name in searched]
    run_heap(
        *("evaluate", *used.protocols, "--data", used.spec.format(data)),
        *("--data-label", used.label, "--out", folder, "--model", work / encoder / "models"),
        *_each("--method", left),
        *_each("--settings", tuned),
        *_each("--seed", SEEDS),
        *common(encoder, data, work),
    )


def ablate(name: str, data: Path, out: Path, work: Path) -> None:
    """Change one thing of the tuned settings, and score what comes out on the first set.

    A fit that is refused as unusable is a result too: a text file says so.
    """
    method, encoder, seed = ABLATED
    result, used = out / encoder / "ablation" / f"{name}.json.gz", SETS[0]
    refused = result.with_name(f"{name}.refused.txt")
    if result.exists() or refused.exists():
        return
    tuned = json.loads((work / encoder / "tuned" / method / SETTINGS).read_text(encoding="utf-8"))
    base, change = tuned[method], ABLATIONS[name]
    settings = {part: base.get(part, {}) | change.get(part, {}) for part in base | change}
    changed = work / encoder / "ablation" / f"{name}.json"
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text(json.dumps({method: settings}), encoding="utf-8")
    try:
        run_heap(
            *("evaluate", "corloc-found-v1", "saliency-found-v1", "--method", method),
            *("--data", used.spec.format(data), "--data-label", used.label, "--seed", seed),
            *("--settings", changed, "--model", changed.with_suffix(""), "--out", result),
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
    return (*ENCODERS[encoder], *fit)


def _done(folder: Path, method: str) -> bool:
    names = [f"{method}-{seed}" for seed in SEEDS] if METHODS[method].learn else [method]
    paths = [folder / f"{name}.json.gz" for name in names]
    return all(path.exists() and read_results(path) for path in paths)


def _each(option: str, values: Sequence[str | Path]) -> list[str]:
    return [part for value in values for part in (option, str(value))]


if __name__ == "__main__":
    main(bench)

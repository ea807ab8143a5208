"""Every method on the same features: tuned, then scored on three sets by their protocols.

Nothing but `heap tune`, `heap evaluate` and `heap tables`, one after the other; each of them goes
on where it was stopped, and so does this.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.common import DATA, RESULTS, RUNS, Data
from benchmarks.evaluations import Set, Settings, tabulate, vary
from benchmarks.study import Evaluations
from benchmarks.tuned import COMPARED, ENCODERS, SETS, compare, options_for, searched
from heap.benchmark.run.tuning import LOG

ABLATED = ("heap", "vit-tiny-supervised", 0)
"""Method, encoder and seed of the ablation: one thing is changed each time."""
ABLATIONS: dict[str, Settings] = {
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
ABLATION = (
    ("corloc-found-v1", "saliency-found-v1", "saliency-found-v1-solver", "region-oracle-v1"),
    ("regions-voc12-v1",),
)
"""Protocols of the ablation on the first set; on the second, how regions find each other."""


def bench(
    *,
    data: Data = DATA,
    encoder: Sequence[str] = tuple(ENCODERS),
    method: Sequence[str] = COMPARED,
    out: Path = RESULTS / "peers",
    work: Path = RUNS / "peers",
) -> None:
    """Tune, evaluate and make the tables.

    Args:
        data: Folder with `duts-tr`, `ecssd500`, `voc12-animals` and `coco-val100`.
        encoder: Those of `ENCODERS` to do.
        method: Methods to do, of those that are studied with the encoder.
        out: Folder of the results.
        work: Folder of features, models and trials; what is there is not done again.
    """
    sets = [used.within(data) for used in SETS]
    for name in encoder:
        for tuned in filter(searched, compare(method, name, sets, data, out, work)):
            log = out / name / "tuning" / f"{tuned}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(work / name / "tuned" / tuned / LOG, log)
    if ABLATED[0] in method and ABLATED[1] in encoder:
        ablate(sets, data, out, work)
    tabulate(out)


def ablate(sets: Sequence[Set], data: Path, out: Path, work: Path) -> None:
    """Change one thing of the usual settings each time, and score what comes out."""
    method, encoder, seed = ABLATED
    folder, place = out / encoder / "ablation", work / encoder / "ablation"
    options = options_for(encoder, data, work)
    changed = [replace(used, protocols=asked) for used, asked in zip(sets, ABLATION, strict=False)]
    # Unchanged it is among the methods, with most of the protocols.
    left = [
        replace(used, protocols=tuple(name for name in asked if name not in used.protocols))
        for used, asked in zip(sets, ABLATION, strict=False)
    ]
    vary(method, {"unchanged": {}}, left, folder, place, *options, seeds=[seed])
    vary(method, ABLATIONS, changed, folder, place, *options, seeds=[seed])


STUDY = Evaluations(bench)

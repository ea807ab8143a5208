"""Several objects of different classes: how many a few boxes find, and which are told apart.

The methods have the settings and models of `peers`, which are made here if they are not there
yet.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.common import DATA, RESULTS, RUNS, Data
from benchmarks.composed import compose
from benchmarks.evaluations import Set, Settings, tabulate
from benchmarks.study import Evaluations
from benchmarks.tuned import ENCODERS, SETS, compare

METHODS = ("heap", "tokencut", "maskcut", "lost", "found", "found-solver")
MASKCUT: dict[str, Settings] = {
    "embedded": {},
    "embedded-small": {},
    "vit-tiny-supervised": {"threshold": 0.25, "largest": True},
}
"""Settings, among those that `heap tune` tries, with the best recall on `composed`: MaskCut cuts up
to three times, and what is best for the main object alone can be to cut once."""
PROTOCOLS = ("several-v1", "separation-v1")
COMPOSED = RUNS / "composed"
USED = (
    *(
        replace(usual, protocols=PROTOCOLS)
        for usual in SETS
        if usual.name in ("voc12-animals", "coco-val100")
    ),
    Set("composed", f"coco:{COMPOSED}", "composed pictures", PROTOCOLS),
)


def bench(
    *,
    data: Data = DATA,
    encoder: Sequence[str] = tuple(ENCODERS),
    method: Sequence[str] = METHODS,
    out: Path = RESULTS / "several",
    work: Path = RUNS / "peers",
) -> None:
    """Tune what is not tuned, evaluate and make the tables.

    Args:
        data: Folder with `duts-tr`, of whose `tune` pictures are composed, `voc12-animals` and
            `coco-val100`.
        encoder: Those of `peers` to do.
        method: Methods to do.
        out: Folder of the results.
        work: Folder of features, models and trials; what is there is not done again.
    """
    if not COMPOSED.exists():
        compose(data=data, out=COMPOSED)
    sets = [used.within(data) for used in USED]
    for name in encoder:
        compare(method, name, sets, data, out, work, {"maskcut": MASKCUT[name]})
    tabulate(out, "--table", "several")


STUDY = Evaluations(bench)

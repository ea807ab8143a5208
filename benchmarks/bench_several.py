"""Several objects of different classes: how many a few boxes find, and which are told apart.

The methods have the settings and models of `bench_peers`, which are made here if they are not there
yet.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench_peers import ENCODERS, SETS, Set, evaluate, studied, tune
from benchmarks.common import DATA, RUNS, Data, main, run_heap
from benchmarks.composed import compose
from benchmarks.report import RESULTS

NAME = "several"
METHODS = ("heap", "tokencut", "maskcut", "lost", "found", "found-solver")
MASKCUT: dict[str, dict[str, Any]] = {
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
        Set(usual.name, usual.spec, usual.label, PROTOCOLS)
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
    out: Path = RESULTS / NAME,
    work: Path = RUNS / "peers",
) -> None:
    """Tune what is not tuned, evaluate and make the tables.

    Args:
        data: Folder with `duts-tr`, of whose `tune` pictures are composed, `voc12-animals` and
            `coco-val100`.
        encoder: Those of `bench_peers` to do.
        method: Methods to do.
        out: Folder of the results.
        work: Folder of features, models and trials; what is there is not done again.
    """
    if not COMPOSED.exists():
        compose(data=data, out=COMPOSED)
    for name in encoder:
        methods = studied(method, name)
        for chosen in methods:
            tune(chosen, name, data, work)
        settings = work / name / NAME / "maskcut.json"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps({"maskcut": MASKCUT[name]}), encoding="utf-8")
        for used in USED:
            evaluate(methods, name, used, data, out, work, {"maskcut": settings})
    results = [str(path) for path in sorted(out.rglob("*.json.gz"))]
    tables = ("--table", NAME, "--out", out / "tables.md", "--figures", out / "charts")
    run_heap("tables", *results, *tables)


if __name__ == "__main__":
    main(bench)

"""Causes of good regions and foreground: HEAP by its three losses, one thing changed each time.

Nothing but `heap evaluate` on photos on which nothing is reported; each call goes on where it was
stopped, and so does this.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import DATA, RUNS, Data, main, run_heap
from benchmarks.report import RESULTS

NAME = "regions"
METHOD = "heap-alone"
PROTOCOLS = ("saliency-found-v1", "saliency-found-v1-guided", "corloc-found-v1", "region-oracle-v1")
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "unchanged": {},
    "centred": {"head": {"centred": True}},
    "no-rounds": {"head": {"rounds": 0}},
    "three-rounds": {"head": {"rounds": 3}},
    "12-groups": {"head": {"groups": 12}},
    "ncut": {"losses": {"intra_form": "ncut"}},
    "granularity-1": {"losses": {"granularity": 1.0}},
    "granularity-2": {"losses": {"granularity": 2.0}},
    "warm": {"head": {"temperature": 0.1}},
    "without-inter": {"losses": {"inter": 0.0}},
    "inter-1": {"losses": {"inter": 1.0}},
    "without-negative": {"losses": {"negative": 0.0}},
    "without-intra": {"losses": {"intra": 0.0}},
}
"""Settings of the method, by what is changed."""


def bench(
    *,
    data: Data = DATA,
    encoder: str = "embedded",
    variant: Sequence[str] = tuple(VARIANTS),
    seed: Sequence[int] = (0, 1, 2),
    out: Path = RESULTS / NAME,
    work: Path = RUNS / NAME,
    limit: int | None = None,
) -> None:
    """Fit and score the variants, and make the table.

    Args:
        data: Folder with `duts-tr`.
        encoder: Alias or folder.
        variant: Those to do.
        seed: Seeds of the fits.
        out: Folder of the results.
        work: Folder of features and models; what is there is not done again.
        limit: Score on at most so many photos.
    """
    for name in variant:
        settings = work / f"{name}.json"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps({METHOD: VARIANTS[name]}), encoding="utf-8")
        for number in map(str, seed):
            run_heap(
                *("evaluate", *PROTOCOLS, "--data", f"folder:{data}/duts-tr/tune"),
                *("--data-label", "DUTS-TR, tune", "--encoder", encoder, "--method", METHOD),
                *("--settings", settings, "--seed", number, "--label", f"{METHOD}, {name}"),
                *("--fit", f"{data}/duts-tr/fit", "--cache", work / "features"),
                *("--model", work / f"{name}-{number}", "--out", out / f"{name}-{number}.json.gz"),
                *(("--limit", str(limit)) if limit else ()),
            )
    results = [str(path) for path in sorted(out.glob("*.json.gz"))]
    run_heap("tables", *results, "--out", out / "tables.md")


if __name__ == "__main__":
    main(bench)

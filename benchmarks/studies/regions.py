"""Causes of good regions and foreground: HEAP by its three losses, one thing changed each time.

Nothing but `heap evaluate` on photos on which nothing is reported; each call goes on where it was
stopped, and so does this.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import DATA, RESULTS, RUNS, Data
from benchmarks.evaluations import SEEDS, Set, Settings, tabulate, vary
from benchmarks.study import Evaluations

METHOD = "heap-alone"
TUNE = Set(
    "tune",
    "folder:{}/duts-tr/tune",
    "DUTS-TR, tune",
    ("saliency-found-v1", "saliency-found-v1-guided", "corloc-found-v1", "region-oracle-v1"),
)
VARIANTS: dict[str, Settings] = {
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
    "intra-1": {"losses": {"intra": 1.0}},
    "without-negative": {"losses": {"negative": 0.0}},
    "without-intra": {"losses": {"intra": 0.0}},
}
"""Settings of the method, by what is changed."""


def bench(
    *,
    data: Data = DATA,
    encoder: str = "embedded",
    variant: Sequence[str] = tuple(VARIANTS),
    seed: Sequence[int] = SEEDS,
    out: Path = RESULTS / "regions",
    work: Path = RUNS / "regions",
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
    options = ["--encoder", encoder, "--fit", f"{data}/duts-tr/fit"]
    options += ["--cache", str(work / "features")]
    options += [] if limit is None else ["--limit", str(limit)]
    chosen = {name: VARIANTS[name] for name in variant}
    vary(METHOD, chosen, [TUNE.within(data)], out, work, *options, seeds=seed)
    tabulate(out)


STUDY = Evaluations(bench)

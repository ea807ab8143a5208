"""To find nothing where nothing is: false alarms and recall at one threshold for each method.

The threshold is on the best score of an image, the lowest that leaves few false alarms on
background crops of every second tune image: an image below it has no objects. Reported are false
alarms on other images, of other data too, and how much of the recall is left. Only `heap tune` and
`heap evaluate` are run, on what `peers` has tuned and taught where it is there; both go on
where they were stopped.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from jaxtyping import Float64

from benchmarks.common import DATA, RESULTS, RUNS, Data
from benchmarks.empty_images import CHOOSE, REPORT, build
from benchmarks.evaluations import Set
from benchmarks.study import Evaluations
from benchmarks.tuned import COMPARED, ENCODERS, compare
from heap.benchmark.protocols import PROTOCOLS, Row
from heap.benchmark.results import DIGITS, Results, read_results
from heap.benchmark.results.estimate import OfSums, Values
from heap.benchmark.run.methods import METHODS
from heap.benchmark.tables import Cell, Column, Line, Table
from heap.benchmark.tables.markdown import to_markdown

ALARMS, RECALL = "false-alarms-v1", "recall-v1"
WANTED = 0.08
"""Share of the crops to choose by that may have an alarm; the target is a tenth of the others."""
KINDS = ("tune", "ecssd", "voc", "synthetic")
SETS = (
    Set(CHOOSE, f"empty:{{}}/{CHOOSE}", "background to choose by", (ALARMS,)),
    Set(REPORT, f"empty:{{}}/{REPORT}", "background", (ALARMS,)),
    Set("tune", "folder:{}/duts-tr/tune", "DUTS-TR, tune images", (RECALL,)),
    Set("ecssd500", "folder:{}/ecssd500", "ECSSD, every second image", (RECALL,)),
)
COLUMNS = (
    Column("threshold", scale=1.0, digits=DIGITS, ranked=False),
    Column("false alarms, no threshold", ALARMS, least=True),
    Column("false alarms", ALARMS, least=True),
    *(Column(f"false alarms, {kind}", ALARMS, least=True) for kind in KINDS),
    *(
        column
        for name in ("tune", "ecssd500")
        for column in (
            Column(f"recall {name}, no threshold", RECALL),
            Column(f"recall {name}", RECALL),
            Column(f"share kept, {name}", RECALL),
        )
    ),
)

Seeds = Sequence[Results]
"""Results of one method on one set, one for each of its seeds."""


def bench(
    *,
    data: Data = DATA,
    encoder: Sequence[str] = tuple(ENCODERS),
    method: Sequence[str] = COMPARED,
    out: Path = RESULTS / "abstention",
    work: Path = RUNS / "peers",
    images: Path = RUNS / "empty_images",
) -> None:
    """Make the empty pictures, tune, evaluate, choose thresholds and make the table.

    Args:
        data: Folder with `duts-tr`, `ecssd500` and `voc12-animals`.
        encoder: Those of `ENCODERS` to do.
        method: Methods to do.
        out: Folder of the results.
        work: Folder of features, models and trials, that of `peers`.
        images: Folder of the pictures without an object.
    """
    build(data, images)
    # The empty pictures are no part of the data, and have a folder of their own.
    sets = [used.within(images if used.name in (CHOOSE, REPORT) else data) for used in SETS]
    for name in encoder:
        compare(method, name, sets, data, out, work)
    (out / "tables.md").write_text(to_markdown(table_of(out)) + "\n", encoding="utf-8")


def table_of(folder: Path) -> Table:
    """The table of all results in a folder, made from their rows."""
    lines = []
    for place in sorted(folder.glob(f"*/{REPORT}")):
        for name in METHODS:
            if seeds := {used.name: _read(place.with_name(used.name), name) for used in SETS}:
                lines += [_line(seeds)] if all(seeds.values()) else []
    about = (
        f"threshold: the lowest score with at most {100 * WANTED:g} % false alarms on crops of "
        "every second tune image, over all seeds; no other image had a part in it",
        "an image whose best object has a lower score counts as one without objects",
    )
    title = "False alarms, and the recall that is left"
    return Table("abstention", "abstention", title, about, COLUMNS, tuple(lines))


def lowest_threshold(rows: Sequence[Row], wanted: float = WANTED) -> float:
    """The lowest threshold at which at most a share `wanted` of the rows is a false alarm.

    0 if that is so anyhow; else, to the digits of rows, just above the best score of an image.
    """
    best = sorted((row["best"] for row in rows if row["alarm"]), reverse=True)
    allowed = math.floor(wanted * len(rows))
    return round(best[allowed] + 10**-DIGITS, DIGITS) if len(best) > allowed else 0.0


def at_threshold(rows: Sequence[Row], threshold: float) -> list[Row]:
    """The rows of either protocol as if nothing had been reported where the best score is lower."""
    nothing: Row = {"alarm": False, "objects": 0, "found": 0, "best": None}
    return [
        row
        if row["best"] is not None and row["best"] >= threshold
        else {name: nothing.get(name, value) for name, value in row.items()}
        for row in rows
    ]


def share_kept(rows: Sequence[Row], threshold: float) -> Values:
    """Recall at a threshold as a share of that without one."""
    after = at_threshold(rows, threshold)
    states = np.array(
        [[a["found"], b["found"]] for a, b in zip(after, rows, strict=True)],
        dtype=np.float64,
    )

    def ratio(total: Float64[np.ndarray, " state"]) -> list[float]:
        return [float(total[0] / total[1]) if total[1] else float("nan")]

    return OfSums(("kept",), states, ratio)


def _line(seeds: dict[str, Seeds]) -> Line:
    threshold = lowest_threshold(
        [row for results in seeds[CHOOSE] for row in _rows(results, ALARMS)]
    )
    report = [_rows(results, ALARMS) for results in seeds[REPORT]]
    cells = [
        Cell(threshold),
        _cell([PROTOCOLS[ALARMS].values(rows, {}) for rows in report], "alarms"),
    ]
    after = [PROTOCOLS[ALARMS].values(at_threshold(rows, threshold), {}) for rows in report]
    cells += [_cell(after, name) for name in ("alarms", *(f"alarms_{kind}" for kind in KINDS))]
    for used in ("tune", "ecssd500"):
        rows_of_seeds = [_rows(results, RECALL) for results in seeds[used]]
        for least in (0.0, threshold):
            values = [
                PROTOCOLS[RECALL].values(at_threshold(rows, least), {}) for rows in rows_of_seeds
            ]
            cells.append(_cell(values, "recall"))
        cells.append(_cell([[share_kept(rows, threshold)] for rows in rows_of_seeds], "kept"))
    about = seeds[REPORT][0]
    return Line(about.method.label, about.encoder.label, tuple(cells))


def _cell(seeds: Sequence[Sequence[Values]], name: str) -> Cell | None:
    """One value: of a single seed with its interval, of several the mean with their deviation."""
    values_of_seeds = [values for several in seeds for values in several if name in values.names]
    if not values_of_seeds:
        return None
    if len(values_of_seeds) == 1:
        estimate = values_of_seeds[0].estimate()[name]
        return Cell(estimate.value, estimate.low, estimate.high)
    once = [values.value()[name] for values in values_of_seeds]
    return Cell(mean(once), deviation=stdev(once))


def _rows(results: Results, protocol: str) -> list[Row]:
    return list(results.scores_of(protocol).values())


def _read(folder: Path, method: str) -> Seeds:
    pattern = f"{method}-[0-9]*.json.gz" if METHODS[method].learn else f"{method}.json.gz"
    return [read_results(path) for path in sorted(folder.glob(pattern))]


STUDY = Evaluations(bench)

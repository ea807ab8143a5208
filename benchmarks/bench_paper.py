"""The tables of the papers, on the official data sets and with a published encoder.

CorLoc on VOC07, VOC12 and COCO20k, saliency on ECSSD, DUTS-TE and DUT-OMRON, retrieval on VOC12.
Nothing but `heap evaluate` and `heap tables`; each goes on where it was stopped, and so does this.
Images have their own size, as in the papers, and methods the settings that their papers give.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from benchmarks.common import RUNS, main, run_heap
from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.benchmark.run.methods import METHODS, find_method

NAME = "bench_paper"
SEEDS = (0, 1, 2)
RESOLUTION = 1024
"""Photos of up to its square keep their size; larger ones are brought down to that area."""
LEARNED_FROM = "DUTS-TR-Image"
"""The folder of images in DUTS-TR, which FOUND and HEAP learn from."""

DISCOVERY = ("corloc-found-v1", "corloc-lost-v1")
SALIENCY = (
    "saliency-found-v1",
    "saliency-found-v1-solver",
    "saliency-found-v1-single",
    "saliency-found-v1-single-solver",
    "saliency-tokencut-v1",
    "saliency-tokencut-v1-solver",
)
RETRIEVAL = (
    "retrieval-voc12-7-v1-single",
    "retrieval-voc12-7-v1-parts",
    "retrieval-voc12-21-v1-single",
    "retrieval-voc12-21-v1-parts",
)


@Parameter(name="*")
@dataclass(frozen=True)
class Places:
    """Places of the data sets, laid out as `heap datasets` draws them."""

    voc07: Annotated[Path | None, Parameter(env_var="HEAP_VOC07")] = None
    """VOC 2007: CorLoc on trainval."""
    voc12: Annotated[Path | None, Parameter(env_var="HEAP_VOC12")] = None
    """VOC 2012: CorLoc on trainval, retrieval from train to val."""
    coco20k: Annotated[Path | None, Parameter(env_var="HEAP_COCO20K")] = None
    """COCO train2014 with LOST's list: CorLoc."""
    ecssd: Annotated[Path | None, Parameter(env_var="HEAP_ECSSD")] = None
    """ECSSD: saliency."""
    duts: Annotated[Path | None, Parameter(env_var="HEAP_DUTS_TE")] = None
    """DUTS-TE: saliency."""
    dut_omron: Annotated[Path | None, Parameter(env_var="HEAP_DUT_OMRON")] = None
    """DUT-OMRON: saliency."""

    def tables(self) -> Iterator["Table"]:
        """Tasks that can be measured on the data sets that are there."""
        rows = (
            ("voc2007", "VOC 2007 trainval", self.voc07, DISCOVERY),
            ("voc2012", "VOC 2012 trainval", self.voc12, DISCOVERY),
            ("coco20k", "COCO20k", self.coco20k, DISCOVERY),
            ("ecssd", "ECSSD", self.ecssd, SALIENCY),
            ("duts-te", "DUTS-TE", self.duts, SALIENCY),
            ("dut-omron", "DUT-OMRON", self.dut_omron, SALIENCY),
            ("voc2012-seg", "VOC 2012 segmentation", self.voc12, RETRIEVAL),
        )
        for name, label, place, protocols in rows:
            if place is not None:
                yield Table(name, label, place, protocols)


@dataclass(frozen=True)
class Table:
    """A data set, and what is measured on it."""

    name: str
    """As `heap datasets` lists it."""
    label: str
    """As it is printed."""
    place: Path
    protocols: tuple[str, ...]

    @property
    def spec(self) -> str:
        """As `heap evaluate --data` takes it."""
        return f"{self.name}:{self.place}"


NOWHERE = Places()


def bench(
    *,
    places: Places = NOWHERE,
    encoder: str = "dino-vits8",
    photos: Annotated[Path | None, Parameter(env_var="HEAP_DUTS_TR")] = None,
    method: Sequence[str] = tuple(METHODS),
    settings: Sequence[Path] = (),
    seed: Sequence[int] = SEEDS,
    limit: int | None = None,
    keep_features: bool = False,
    out: Path = RUNS / NAME / "results",
    work: Path = RUNS / NAME,
) -> None:
    """Evaluate every method on the data sets that are given, and make the tables.

    What is done is not done again, so data sets and methods can be added later.

    Args:
        places: The data sets.
        encoder: Short name, hub name or folder.
        photos: DUTS-TR, or any unlabelled images, for the methods that learn.
        method: Those of `heap methods` to do.
        settings: JSON files with settings by method, as `heap tune` writes them.
        seed: Seeds of the methods that learn.
        limit: Use at most so many images of each split: a trial, apart from the whole.
        keep_features: Leave the features of a data set on disk when it is done.
        out: Folder of the results, the tables and their figures.
        work: Folder of features and models.
    """
    name = Path(encoder).name + (f"-first-{limit}" if limit else "")
    tables = list(places.tables())
    check(tables, method, photos, limit)
    faults = []
    for table in tables:
        features = work / name / "features" / table.name
        options = [*_each("--settings", settings), *_each("--seed", seed)]
        options += ["--encoder", encoder, "--native", "--resolution", str(RESOLUTION)]
        options += ["--cache", str(features), "--model", str(work / Path(encoder).name / "models")]
        options += _images(photos, method) + _labels(table, limit)
        try:
            evaluate(table, out / name / table.name, method, seed, options)
        except InputError as error:
            # One method that could not learn has not kept the others from being evaluated.
            faults.append(str(error))
        else:
            if not keep_features:
                shutil.rmtree(features, ignore_errors=True)
    if any((out / name).rglob("*.json.gz")):
        written, drawn = out / name / "tables.md", out / name / "charts"
        run_heap("tables", out / name, "--out", written, "--figures", drawn)
    if faults:
        raise InputError("; ".join(faults))


def check(
    tables: Sequence[Table], methods: Sequence[str], photos: Path | None, limit: int | None
) -> None:
    """Refuse what would fail after hours, before anything is computed.

    Raises:
        InputError: naming the data set that is not complete, or what else is missing.
    """
    if not tables:
        raise InputError("no data set is given: name at least one, such as --ecssd PATH")
    learning = [name for name in methods if find_method(name).learn]
    if learning and photos is None:
        raise InputError(
            f"{', '.join(learning)} learn from unlabelled images: name some with --photos, such as "
            "DUTS-TR, or name only other methods with --method"
        )
    for table in tables:
        open_dataset(table.spec, limit)


def evaluate(
    table: Table, out: Path, methods: Sequence[str], seeds: Sequence[int], options: Sequence[str]
) -> None:
    """Score the methods that have no result yet, in one pass over the images."""
    left = [name for name in methods if not all(path.exists() for path in _files(out, name, seeds))]
    if left:
        command = ["evaluate", *table.protocols, "--data", table.spec, "--out", str(out)]
        run_heap(*command, *_each("--method", left), *options)


def _files(out: Path, method: str, seeds: Sequence[int]) -> list[Path]:
    learns = METHODS[method].learn
    names = [f"{method}-{seed}" for seed in seeds] if learns else [method]
    return [out / f"{name}.json.gz" for name in names]


def _images(photos: Path | None, methods: Sequence[str]) -> list[str]:
    """The images to learn from; of DUTS-TR not its masks."""
    if photos is None or not any(METHODS[name].learn for name in methods):
        return []
    within = photos / LEARNED_FROM
    return ["--fit", str(within if within.is_dir() else photos)]


def _labels(table: Table, limit: int | None) -> list[str]:
    if limit is None:
        return ["--data-label", table.label]
    return ["--limit", str(limit), "--data-label", f"{table.label}, first {limit} of each split"]


def _each(option: str, values: Sequence[object]) -> list[str]:
    return [part for value in values for part in (option, str(value))]


if __name__ == "__main__":
    main(bench)

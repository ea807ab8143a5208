"""The tables of the papers, on the official data sets and with a published encoder.

CorLoc on VOC07, VOC12 and COCO20k, saliency on ECSSD, DUTS-TE and DUT-OMRON, retrieval on VOC12.
Nothing but `heap evaluate` and `heap tables`; each goes on where it was stopped, and so does this.
Images have their own size, as in the papers, and methods the settings that their papers give.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from benchmarks.common import RUNS
from benchmarks.evaluations import SEEDS, Set, evaluate, options_of, tabulate
from benchmarks.study import Evaluations
from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.benchmark.run.methods import METHODS, find_method

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

    def sets(self) -> Iterator[Set]:
        """Data sets that are there, with their protocols."""
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
                yield Set(name, f"{name}:{place}", label, protocols)


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
    out: Path = RUNS / "bench_paper" / "results",
    work: Path = RUNS / "bench_paper",
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
    sets = list(places.sets())
    check(sets, method, photos, limit)
    options = ["--encoder", encoder, "--native", "--resolution", str(RESOLUTION)]
    options += ["--model", str(work / Path(encoder).name / "models")]
    options += options_of("--settings", settings) + _images(photos, method)
    if limit is not None:
        options += ["--limit", str(limit)]
        sets = [replace(used, label=f"{used.label}, first {limit} of each split") for used in sets]
    faults = []
    for used in sets:
        features = work / name / "features" / used.name
        place = out / name / used.name
        try:
            evaluate(used, method, place, *options, "--cache", features, seeds=seed)
        except InputError as error:
            # One method that could not learn has not kept the others from being evaluated.
            faults.append(str(error))
        else:
            if not keep_features:
                shutil.rmtree(features, ignore_errors=True)
    if any((out / name).rglob("*.json.gz")):
        tabulate(out / name)
    if faults:
        raise InputError("; ".join(faults))


def check(
    sets: Sequence[Set], methods: Sequence[str], photos: Path | None, limit: int | None
) -> None:
    """Refuse what would fail after hours, before anything is computed.

    Raises:
        InputError: naming the data set that is not complete, or what else is missing.
    """
    if not sets:
        raise InputError("no data set is given: name at least one, such as --ecssd PATH")
    learning = [name for name in methods if find_method(name).learn]
    if learning and photos is None:
        raise InputError(
            f"{', '.join(learning)} learn from unlabelled images: name some with --photos, such as "
            "DUTS-TR, or name only other methods with --method"
        )
    for used in sets:
        open_dataset(used.spec, limit)


def _images(photos: Path | None, methods: Sequence[str]) -> list[str]:
    """The images to learn from; of DUTS-TR not its masks."""
    if photos is None or not any(METHODS[name].learn for name in methods):
        return []
    within = photos / LEARNED_FROM
    return ["--fit", str(within if within.is_dir() else photos)]


STUDY = Evaluations(bench)

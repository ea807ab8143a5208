"""Methods with the settings that `heap tune` chose for them: encoders, data sets and calls.

`peers` scores them; other studies score the same methods and models on data of their own.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.common import run_heap
from benchmarks.evaluations import SEEDS, Set, Settings, evaluate, write_settings
from benchmarks.report import Row, about_encoder
from heap.benchmark.run.methods import CONFIGURATIONS, METHODS
from heap.benchmark.run.tuning import LOG, SETTINGS
from heap.model.heap import Heap

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


LABELS = {
    "embedded": "DINOv2-S, restored",
    "embedded-small": "Embedded, small",
    "vit-tiny-supervised": "Supervised ViT-Ti",
}
"""Labels of the encoders in tables."""
_QUICK = replace(SETS[-1], protocols=("corloc-found-v1",))
"""Data and protocol of calls of `heap evaluate` that are made only to fit models."""


def compare(
    methods: Sequence[str],
    encoder: str,
    sets: Sequence[Set],
    data: Path,
    out: Path,
    work: Path,
    changes: Mapping[str, Settings] | None = None,
) -> list[str]:
    """Tune what is not tuned, and score the methods on the sets with three seeds; their names.

    Args:
        methods: Those that are compared, as far as they are studied with the encoder.
        encoder: One of `ENCODERS`.
        sets: Data sets; their folders are filled in.
        data: Folder of the evaluation sets.
        out: Folder of the results, of which this encoder has one of its own.
        work: Folder of features, models and trials.
        changes: Settings of methods that are not those that were tuned.
    """
    place, names = work / encoder, studied(methods, encoder)
    for name in names:
        tune(name, encoder, data, work)
        if METHODS[name].learn and searched(name):
            _take_over(place, name)
    settings = {name: place / "tuned" / name / SETTINGS for name in names if searched(name)}
    settings |= {
        name: write_settings(place / "changed" / f"{name}.json", {name: values})
        for name, values in (changes or {}).items()
    }
    options: list[str | Path] = [*options_for(encoder, data, work), "--model", place / "models"]
    for used in sets:
        asked = tuple(
            protocol
            for protocol in used.protocols
            if ENCODERS[encoder].solver or OF_SOLVER not in protocol
        )
        folder = out / encoder / used.name
        evaluate(replace(used, protocols=asked), names, folder, *options, settings=settings)
    return names


def studied(methods: Sequence[str], encoder: str) -> list[str]:
    """Methods that are studied with an encoder, and those that are not compared if asked for.

    HEAP is there in any case, if only by its three losses.
    """
    usual = ENCODERS[encoder].methods
    names = [name if name in usual or name != "heap" else "heap-alone" for name in methods]
    return [name for name in dict.fromkeys(names) if name in usual or name in UNTUNED]


def tune(method: str, encoder: str, data: Path, work: Path) -> None:
    """Choose the settings of a method on the tune masks."""
    folder, limit = work / encoder / "tuned" / method, ENCODERS[encoder].tuned_on
    if searched(method) and not (folder / SETTINGS).exists():
        run_heap(
            *("tune", method, "--data", f"folder:{data}/duts-tr/tune", "--out", folder),
            *("--configurations", str(CONFIGURATIONS), "--minutes", MINUTES),
            *(() if limit is None else ("--limit", str(limit))),
            *options_for(encoder, data, work),
        )


def _take_over(work: Path, method: str) -> None:
    """Take the model of the chosen trial for that of the first seed, which need not learn again."""
    model, tuned = work / "models" / f"{method}-{SEEDS[0]}", work / "tuned" / method
    if not model.exists():
        log = json.loads((tuned / LOG).read_text(encoding="utf-8"))
        chosen = [trial["settings"] for trial in log["trials"]].index(log["chosen"])
        shutil.copytree(tuned / f"{chosen}-model", model)


def options_for(encoder: str, data: Path, work: Path) -> tuple[str, ...]:
    """Encoder, images to learn from, and the store of features."""
    fit = ("--fit", f"{data}/duts-tr/fit", "--cache", str(work / "features"))
    return (*ENCODERS[encoder].options, *fit)


def searched(method: str) -> bool:
    """Whether the settings of a method are chosen by `heap tune`."""
    return bool(METHODS[method].grid) and method not in UNTUNED


@dataclass(frozen=True)
class Heads:
    """Models of an encoder, one for each seed."""

    encoder: str
    models: list[Path]
    heap: Heap
    """The first of them."""

    def about(self) -> Row:
        """Describe the encoder, by its name in rows."""
        return about_encoder(self.heap) | {"name": self.encoder}


def fitted_heads(encoders: Iterable[str], data: Path, work: Path) -> Iterator[Heads]:
    """Models of encoders, see `fitted_models`, one after the other."""
    for name in encoders:
        models = fitted_models(name, data, work)
        yield Heads(name, models, Heap.from_pretrained(models[0]))


def fitted_models(encoder: str, data: Path, work: Path) -> list[Path]:
    """Folders of the models of an encoder, one for each seed; those that are missing are fitted.

    Args:
        encoder: One of `ENCODERS`.
        data: Folder with `duts-tr` and `coco-val100`, if a model is missing.
        work: Folder of features, models and trials, that of `peers`.
    """
    (method,) = studied(("heap",), encoder)
    models = [work / encoder / "models" / f"{method}-{seed}" for seed in SEEDS]
    if not all(path.exists() for path in models):
        compare((method,), encoder, [_QUICK.within(data)], data, work / "fitted", work)
    return models

"""`heap discover` as fast as its encoder: processor time of one beside the other, by stages.

The bare encoder is its forward passes alone, for photos that are decoded already, in the batches
that `heap discover` makes of them. Another state of the code is measured beside this one with
`--before`, the folder of its sources, by heads that it fits on a few photos, which is enough to
find objects. The ViT-S/16 and its head have random weights, which take as long as trained ones;
what is fitted on it sees nothing, so that it is measured in this state alone.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.common import DATA, RUNS, Data, images_in, once, one_thread, run_heap
from benchmarks.report import Row, about_data, about_encoder, rows_by
from benchmarks.study import Measured, Study
from benchmarks.throughput_chart import draw_chart
from heap.base.timing import Timing
from heap.config import DiscoverConfig, FeatureConfig
from heap.encoder.load import load_encoder
from heap.encoder.registry import packaged_encoder
from heap.features.describe import describe
from heap.images import Source, decode
from heap.images.prefetch import chunks
from heap.model.heap import Heap
from heap.model.saved import ModelConfig

FEW = 8
"""Photos of the run that is subtracted, so that what is done once per run does not count."""
PASSES = ("encoder", "encoder on objects")
"""Stages that are forward passes of the encoder."""
FIT = ("--facet", "token", "--resolution", "448", "--prior", "boundary", "--steps", "60")
FITTED_ON = 32
"""Photos of `duts-tr/tune` on which a head is fitted for another state."""


@dataclass(frozen=True)
class Shape:
    """An encoder, and how much of it is asked and measured."""

    goal: float
    """Share of the processor time that the encoder should have."""
    photos: int
    """Photos that are measured beyond the first `FEW`."""
    packaged: str = ""
    """Alias of the model in the package that has this shape; without one weights are random."""


SHAPES = {
    "ViT-S/14": Shape(0.9, 16, "embedded"),
    "ViT-S/16": Shape(0.9, 16),
    "embedded-small": Shape(0.6, 48, "embedded-small"),
}
"""By their names in the result."""


def bench(
    *,
    data: Data = DATA,
    encoder: Sequence[str] = tuple(SHAPES),
    before: Path | None = None,
    repeats: int = 2,
    work: Path = RUNS / "bench_throughput",
) -> Measured:
    """Measure each encoder alone and in `heap discover`, in turns and with one thread.

    Args:
        data: Folder with `ecssd500` and `duts-tr/tune`.
        encoder: Names of those that are measured; rows of others stay.
        before: Folder of other sources of the package, such as `src` of an earlier commit.
        repeats: How often each is measured.
        work: Folder of models and of what was measured; what is there is not measured again.
    """
    images = images_in(data / "ecssd500" / "images")
    fitted_on = images_in(data / "duts-tr" / "tune" / "images", FITTED_ON)
    sources = {"now": None} if before is None else {"before": before, "now": None}
    rows, described = list[Row](), list[Row]()
    for name in encoder:
        shape = SHAPES[name]
        folder = work / name.replace("/", "")
        models = {
            state: _model(name, state, place, fitted_on, folder)
            for state, place in sources.items()
            if state == "now" or shape.packaged
        }
        used = images[: FEW + shape.photos]
        described.append(about_encoder(_load(models["now"])) | {"name": name})
        tasks: dict[str, Callable[[], list[Row]]] = {
            "bare": partial(bare_row, models["now"], used),
            **{
                state: partial(discover_rows, model, used, sources[state])
                for state, model in models.items()
            },
        }
        # In turns, so that whatever else the machine does falls on all of them.
        for repeat in range(repeats):
            for state, task in tasks.items():
                about: Row = {"encoder": name, "state": state, "repeat": repeat}
                measured = once(folder / f"{state}-{repeat}.json", task)
                rows += [about | row for row in measured]
    return Measured(
        data=about_data("ecssd500", images[: FEW + max(s.photos for s in SHAPES.values())]),
        encoder=described,
        rows=rows,
        figures={"load": os.getloadavg()[0]},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Share of the bare encoder in the processor time of the whole, for each encoder.

    `passes` is the share of all forward passes, those for the boxes of objects included, as the
    stages of the same runs say it. Milliseconds are medians over the repeats, for one image.
    """
    return {
        name: _summarise(of, SHAPES[name].goal) for name, of in rows_by(rows, "encoder").items()
    }


def _summarise(rows: list[Row], goal: float) -> dict[str, Any]:
    whole = {
        state: _median(rows, "ms", state=state, stage=None)
        for state in ("bare", "before", "now")
        if any(row["state"] == state for row in rows)
    }
    names = dict.fromkeys(row["stage"] for row in rows if row.get("stage"))
    stages = {stage: _median(rows, "ms", state="now", stage=stage) for stage in names}
    stages = dict(sorted(stages.items(), key=lambda pair: -pair[1]))
    shares = {
        key: whole["bare"] / whole[state]
        for key, state in (("share", "now"), ("share_before", "before"))
        if state in whole
    }
    return shares | {
        "goal": goal,
        "passed": shares["share"] >= goal,
        "passes": sum(stages.get(stage, 0.0) for stage in PASSES) / sum(stages.values()),
        "ms": whole,
        "stages_ms": stages,
        "once_s": {
            state: _median(rows, "once_s", state=state, stage=None)
            for state in whole
            if state != "bare"
        },
        "objects": {
            state: _median(rows, "objects", state=state, stage=None)
            for state in whole
            if state != "bare"
        },
    }


def _median(rows: list[Row], field: str, *, state: str, stage: str | None) -> float:
    values = [row[field] for row in rows if (row["state"], row.get("stage")) == (state, stage)]
    middle: float = median(values)
    return middle


def bare_row(model: Sequence[str], images: Sequence[Path]) -> list[Row]:
    """Row of the forward passes alone: processor time in milliseconds an image."""
    import torch

    torch.set_num_threads(1)
    heap = _load(model)
    config, settings = heap.config.features, DiscoverConfig()
    pictures = [decode(Source(path.name, str(path))) for path in images]
    describe(heap.encoder, pictures[:1], config)  # The first pass prepares kernels.
    with Timing() as timing:
        for chunk in chunks(pictures, settings.chunk):
            describe(heap.encoder, chunk, config, settings.batch)
    (passes,) = (row for row in timing.times() if row.stage == PASSES[0])
    return [{"ms": 1000 * passes.processor / len(images)}]


def discover_rows(model: Sequence[str], images: Sequence[Path], sources: Path | None) -> list[Row]:
    """Rows of one state: the whole of `heap discover`, and each stage where it can say them.

    Times are of `images` less those of the first `FEW`, divided by the number of those between.
    """
    few, whole = (_discover(model, part, sources) for part in (images[:FEW], images))
    between = len(images) - FEW

    def ms(seconds: float) -> float:
        return 1000 * seconds / between

    per_image = (whole["cpu_seconds"] - few["cpu_seconds"]) / between
    row = {
        "ms": 1000 * per_image,
        "once_s": few["cpu_seconds"] - FEW * per_image,
        "objects": whole["objects"] / len(images),
    }
    at_first = {stage["stage"]: stage for stage in few["profile"]}
    return [row] + [
        {
            "stage": stage["stage"],
            "ms": ms(stage["processor"] - at_first[stage["stage"]]["processor"]),
            "wall_ms": ms(stage["wall"] - at_first[stage["stage"]]["wall"]),
        }
        for stage in whole["profile"]
        if stage["stage"] in at_first
    ]


def _discover(model: Sequence[str], images: Sequence[Path], sources: Path | None) -> dict[str, Any]:
    """Output of a run as JSON, its stages if it is of this state, and its processor time."""
    with TemporaryDirectory(dir=RUNS) as folder:
        options = ["--out", str(Path(folder).resolve() / "run"), "--json"]
        options += [] if sources else ["--profile"]
        run = run_heap("discover", *images, *model, *options, environment=one_thread(sources))
    return {"profile": [], **json.loads(run.output), "cpu_seconds": run.cpu_seconds}


def _model(
    name: str, state: str, sources: Path | None, images: Sequence[Path], folder: Path
) -> list[str]:
    """Options by which a state takes a model: packaged, fitted by it, or with random weights."""
    packaged, model = SHAPES[name].packaged, folder / f"{state}-model"
    if packaged and state == "now":
        return ["--encoder", packaged]
    if packaged == "embedded-small":
        return []  # Before there was a larger one, this was the model in the package.
    if not (model / "config.json").exists():
        if packaged:
            encoder = packaged_encoder(packaged).resolve()
            options = ["--out", str(model), "--encoder", str(encoder), *FIT]
            run_heap("fit", *images, *options, environment=one_thread(sources))
        else:
            write_model(model, folder / "encoder")
    # Such a head is sure of little; images that it finds nothing in would be no work.
    return ["--model", str(model.resolve()), "--min-score", "0"]


def _load(model: Sequence[str]) -> Heap:
    return Heap.from_pretrained(model[1])


def write_model(folder: Path, encoder: Path) -> None:
    """Write a ViT-S/16 with random weights to `encoder`, and a random head on it to `folder`."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=384, num_attention_heads=6, intermediate_size=1536, image_size=448
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(encoder)
    preprocessor = packaged_encoder("embedded") / "preprocessor_config.json"
    (encoder / preprocessor.name).write_bytes(preprocessor.read_bytes())
    features = FeatureConfig(encoder=str(encoder.resolve()), facet="token")
    loaded = load_encoder(features.encoder)
    settings = ModelConfig(features=features, encoder_fingerprint=loaded.fingerprint)
    Heap(loaded, settings).save_pretrained(folder)


STUDY = Study("throughput-v1", bench, summarise, chart=lambda report: draw_chart(report["summary"]))

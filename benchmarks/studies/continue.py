"""Going on pretraining from the embedded encoder on one's own 2,000 photos: what it gains.

The photos are of animals, and the embedded encoder has not seen them. A head is fitted on them by
the embedded recipe before and after, and both are scored on VOC 2012 photos of animals.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.common import DATA, RUNS, Data, digest_of, once, run_heap
from benchmarks.heads import recipe_of, score_head
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.scoring import difference, means, rows_of
from benchmarks.study import Measured, Study
from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.model.heap import Heap

START = "embedded-small"
PHOTOS = 2000


def bench(
    *,
    data: Data = DATA,
    work: Path = RUNS / "bench_continue",
    steps: int = 500,
    limit: int | None = None,
    seeds: int = 3,
) -> Measured:
    """Compare heads on the embedded encoder and on the continued one.

    Args:
        data: Folder with `pretrain/more` and `voc12-animals`.
        work: Folder for encoders, models and features; what is there already is used.
        steps: Steps that are added.
        limit: Score on at most so many images.
        seeds: Fits of each encoder.
    """
    shipped = Heap.from_pretrained(START)
    work /= digest_of([shipped.fingerprint, asdict(shipped.config), steps])
    listed = photos_list(data / "pretrain" / "more", work)
    continued = work / "encoder"
    seconds = once(work / "pretrain.json", lambda: continue_pretraining(listed, continued, steps))
    recipe = recipe_of(shipped.config)
    encoders = {"before": START, "after": str(continued)}
    scores = {
        f"{name}/{seed}": score_head(
            work / f"{name}-{seed}.json.gz",
            replace(shipped.config.features, encoder=encoder),
            f"voc2012-seg:{data / 'voc12-animals'}",
            settings={"heap": recipe},
            seeds=[seed],
            fit=[str(listed)],
            model=work / f"{name}-{seed}-model",
            limit=limit,
        )
        for seed in range(seeds)
        for name, encoder in encoders.items()
    }
    used = open_dataset(f"voc2012-seg:{data / 'voc12-animals'}", limit).examples
    return Measured(
        data=about_data(
            "voc12-animals (class masks)", [example.image for example in used], "SegmentationClass"
        ),
        encoder=about_encoder(shipped),
        rows=rows_of(scores),
        figures={"pretraining_seconds": seconds, "photos": PHOTOS, "steps": steps},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Means, and the gain."""
    gain = {field: difference(rows, "after", "before", field) for field in ("iou", "corloc")}
    return {"images": len(rows), "methods": means(rows), "gain": gain}


def photos_list(folder: Path, work: Path) -> Path:
    """A list of 2,000 photos of animals that the embedded encoder was not pretrained on.

    Raises:
        InputError: if they are not there.
    """
    photos = sorted(folder.glob("catdog-*")) + sorted(folder.glob("apx-*"))
    if len(photos) < PHOTOS:
        raise InputError(f"{folder} holds {len(photos)} of the {PHOTOS} photos of animals")
    work.mkdir(parents=True, exist_ok=True)
    listed = work / "photos.txt"
    listed.write_text("\n".join(str(path.resolve()) for path in photos[:PHOTOS]) + "\n")
    return listed


def continue_pretraining(listed: Path, out: Path, steps: int) -> float:
    """Run the one line of the README; the seconds it took."""
    arguments = ("--start", START, "--learning-rate", "5e-4", "--steps", str(steps))
    return run_heap("pretrain", listed, "--out", out, *arguments).seconds


STUDY = Study("saliency-void-v2", bench, summarise, earlier=("saliency-void-v1",))

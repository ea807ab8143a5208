"""Going on pretraining from the embedded encoder on one's own 2,000 photos: what it gains.

The photos are of animals, and the embedded encoder has not seen them. A head is fitted on them by
the embedded recipe before and after, and both are scored on VOC 2012 photos of animals.
"""

from collections.abc import Sequence
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path
from typing import Any

from benchmarks.common import DATA, RUNS, Data, digest_of, once, run_heap
from benchmarks.evaluating import by_head, features_of
from benchmarks.report import Row, about_data, about_encoder
from benchmarks.scoring import difference, largest_part_hits, means, rows_of
from benchmarks.study import Measured, Study
from benchmarks.untrained import fit_by_recipe
from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.benchmark.metrics.masks import mask_iou
from heap.benchmark.truth import Example
from heap.masks.guided_filter import resize
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
    animals = open_dataset(f"voc2012-seg:{data / 'voc12-animals'}").examples
    used = sorted(animals, key=attrgetter("key"))[:limit]
    scores = {}
    for seed in range(seeds):
        for name, encoder in (("before", START), ("after", str(continued))):
            model = work / f"{name}-{seed}-model"
            fit_by_recipe(shipped.config, encoder, listed, model, seed, None)
            scores[f"{name}/{seed}"] = score(Heap.from_pretrained(model), used, work)
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


def score(heap: Heap, used: Sequence[Example], work: Path) -> dict[str, dict[str, float]]:
    """IoU outside of void, and CorLoc against the boxes of the parts of the class mask."""
    scores = {}
    features = features_of(heap, [example.image for example in used], work)
    method = by_head(heap)
    for number, example in enumerate(used):
        saliency, _ = method(features[number])
        picture = example.picture()
        truth = example.truth(picture)
        assert truth.foreground is not None
        assert truth.void is not None
        mask = resize(saliency, (picture.height, picture.width)) > 0.5
        scores[example.key] = {
            "iou": mask_iou(mask, truth.foreground, ~truth.void),
            "corloc": float(largest_part_hits(saliency, truth.foreground)),
        }
    return scores


STUDY = Study("saliency-void-v1", bench, summarise)

"""Categories of objects against clusters of whole images, by the classes that VOC's objects have.

What `heap discover` finds is sorted as `heap categories` does it; its opponent clusters features of
whole images of the same encoder, and each object inherits the cluster of its image.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.animals import SET, annotated, examples_in
from benchmarks.category_scores import AUTO, COUNTS, summarise, table
from benchmarks.common import DATA, RUNS, Data, run_heap
from benchmarks.report import Row, about_data
from benchmarks.study import Measured, Study
from benchmarks.tuned import ENCODERS, fitted_heads
from benchmarks.whole_images import VARIANTS, clustered, describe_all
from heap.benchmark.truth import Example
from heap.categories.listing import categories
from heap.categories.sorting import sort_objects
from heap.store import schema
from heap.store.columns import read_rows as rows_of
from heap.store.editing import Editor

SEEDS = range(5)
"""Seeds of the clustering."""


_DONE = "gallery.html"
"""`heap discover` writes it last."""


def bench(
    *,
    data: Data = DATA,
    encoder: Sequence[str] = tuple(ENCODERS),
    work: Path = RUNS / "peers",
) -> Measured:
    """Discover, sort in every way, cluster the whole images, and score both.

    Args:
        data: Folder with `voc12-animals`; with `duts-tr` and `coco-val100` too if models are
            missing.
        encoder: Those of `peers` to do; rows of others are kept.
        work: Folder of `peers`, with its models; runs are added to it.
    """
    examples = examples_in(data)
    rows: list[Row] = [{"kind": "images", "images": " ".join(example.key for example in examples)}]
    about = []
    for heads in fitted_heads(encoder, data, work):
        about.append(heads.about())
        place = work / heads.encoder / SET
        ours = [
            row
            for head, model in enumerate(heads.models)
            for row in sort(head, model, place / model.name, examples)
        ]
        wanted = sorted({(row["number"], row["seed"]) for row in ours if row["kind"] == "sorted"})
        theirs = whole(describe_all(heads.heap, examples, place), wanted)
        rows += [{"encoder": heads.encoder} | row for row in [*ours, *theirs]]
    return Measured(
        data=about_data(SET, [example.image for example in examples], "SegmentationClass"),
        encoder=about,
        rows=rows,
    )


def sort(head: int, model: Path, run: Path, examples: Sequence[Example]) -> Iterator[Row]:
    """Find the objects with one head, and sort them in every way."""
    if not (run / _DONE).exists():
        run_heap("discover", examples[0].image.parent, "--out", run, "--model", model)
    ids, objects = matched(run, examples)
    yield {"kind": "objects", "head": head} | objects
    for count in COUNTS:
        wanted = None if count == AUTO else int(count)
        for seed in SEEDS:
            with Editor(run) as editor:
                sort_objects(editor, wanted, again=True, seed=seed)
                number = len(categories(editor.store))
                columns = rows_of(
                    editor.store.table(schema.OBJECTS), ["id", "category"]
                ).to_pydict()
            of = dict(zip(columns["id"], columns["category"], strict=True))
            # Numbers go on from those of before; from 1, by size, they are shorter.
            names = {old: new for new, old in enumerate(sorted({0, *of.values()}))}
            yield {
                "kind": "sorted", "head": head, "k": count, "seed": seed, "number": number,
                "apart": sum(not number for number in of.values()),
                "clusters": _packed([names[of[number]] for number in ids]),
            }  # fmt: skip


def matched(run: Path, examples: Sequence[Example]) -> tuple[list[str], Row]:
    """Ids of the objects that match one of VOC's, see `benchmarks.animals`, and what they are."""
    known = annotated(run, examples)
    places = {example.key: place for place, example in enumerate(examples)}
    images = [places[id.rpartition("#")[0]] for id in known.classes]
    packed = {"images": _packed(images), "classes": _packed([*known.classes.values()])}
    return list(known.classes), {"found": known.objects} | packed


def whole(vectors: dict[str, np.ndarray], wanted: Sequence[tuple[int, int]]) -> Iterator[Row]:
    """Clusters of the whole images: their number, that of the objects' categories, and the seed."""
    for variant in VARIANTS:
        for number, seed in wanted:
            clusters = clustered(vectors[variant], number, seed)
            about = {"kind": "whole", "variant": variant, "number": number, "seed": seed}
            yield about | {"clusters": _packed(clusters.tolist())}


def _packed(values: Sequence[object]) -> str:
    return " ".join(map(str, values))


STUDY = Study("categories-v1", bench, summarise, lambda report: table(report["summary"]))
